"""A scorer as a third party ships it."""

from peabench_constant.edges import ConstantEdges

__all__ = ["ConstantEdges"]
