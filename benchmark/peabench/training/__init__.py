"""Training of many networks at once."""

from peabench.training.stacked import StackedResidualMLP

__all__ = ["StackedResidualMLP"]
