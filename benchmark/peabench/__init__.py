"""Peabench: ground-truth interpretability tasks, certified and scored."""

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.loading import load_task
from peabench.scorers import Scorer

__all__ = ["InvalidAnswer", "PeabenchError", "Scorer", "load_task"]
