"""The same score for every edge."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from peabench import Scorer


class ConstantEdges(Scorer[Any, Float[Tensor, " edge"]]):
    """Answers one half for every candidate edge, which must earn nothing."""

    name = "constant-edges"
    track = "circuits"
    reference = "tests/plugin of Peabench"
    version = "0.1.0"

    def score(self, question: Any) -> Float[Tensor, " edge"]:
        """One score per candidate edge."""
        return torch.full((len(question.edges),), 0.5)
