"""Activations of the training inputs with the value that the variable has in each of them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions import run_with_cache, site_values
from peabench.mechanism import cardinality
from peabench.tracks.variables import VariableQuestion


@dataclass(frozen=True)
class LabelledActivations:
    """What every training input writes at every candidate site, and the variable's value there."""

    sites: dict[str, Float[Tensor, "row d_model"]]
    classes: Int[Tensor, " row"]
    """Number of the variable's value among those that occur."""

    @property
    def n_classes(self) -> int:
        """Number of different values that occur."""
        return int(self.classes.max()) + 1

    def class_means(self, site: str) -> Float[Tensor, "class d_model"]:
        """Mean activation of each value's rows."""
        return torch.stack([self.sites[site][self.classes == c].mean(0) for c in range(self.n_classes)])


def label_activations(question: VariableQuestion) -> LabelledActivations:
    """The base and the source inputs of the training pairs, run once."""
    pairs = question.training
    with torch.inference_mode():
        run = run_with_cache(question.network, torch.cat([pairs.base, pairs.source]))
        sites = {site: site_values(question.network, run, site)[:, 0].clone() for site in question.sites}
    values = torch.cat([pairs.base_value, pairs.source_value])
    return LabelledActivations(sites, values.unique(return_inverse=True)[1])


def reason_against_classes(question: VariableQuestion) -> str | None:
    """Why the variable's values cannot serve as classes, or None where they can."""
    kind = question.causal_model.kinds[question.variable]
    if cardinality(kind) is None or kind.length is not None:
        return f"{question.variable} does not take one of finitely many values."
    values = torch.cat([question.training.base_value, question.training.source_value])
    if len(values.unique()) < 2:
        return f"{question.variable} has the same value in all training inputs."
    return None


def leading_directions(rows: Float[Tensor, "row d_model"], dimension: int) -> Float[Tensor, "d_model k"]:
    """Orthonormal basis of the directions in which the rows are largest; fewer than asked where the rank is less."""
    _, sizes, directions = torch.linalg.svd(rows.double(), full_matrices=False)
    rank = max(1, int((sizes > 1e-9 * sizes[0].clamp(min=1e-30)).sum()))
    basis: Tensor = directions[: min(dimension, rank)].T.float().contiguous()
    return basis
