"""The variables that hypotheses claim to be computed on the way, as classes of inputs."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.tracks.algorithms import AlgorithmQuestion
from peabench.tracks.candidates import Candidate


def reason_against_variables(question: AlgorithmQuestion) -> str | None:
    """Why the hypotheses cannot be told apart by their inner variables, if so."""
    for candidate in question.hypotheses:
        if candidate.causal_model is None or not candidate.causal_model.inner:
            return "A hypothesis names no variables between inputs and output."
    return None


def claimed_classes(candidate: Candidate, inputs: Int[Tensor, "row column"]) -> list[Int[Tensor, " row"]]:
    """The value of each inner variable on each input, numbered among those that occur."""
    model = candidate.causal_model
    if model is None:
        raise ValueError("expected a hypothesis with a causal model, got one without; ask `reason_against_variables`")
    values = model.run(model.read_inputs(inputs))
    return [values[name].reshape(len(inputs), -1).unique(dim=0, return_inverse=True)[1] for name in model.inner]


def one_hot(classes: Int[Tensor, " row"]) -> Float[Tensor, "row class"]:
    """A column for each class."""
    return torch.nn.functional.one_hot(classes).double()
