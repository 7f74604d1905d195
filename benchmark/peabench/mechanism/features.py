"""Features: named directions at a site, when and how strongly each fires, and their hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Self

from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor

from peabench.mechanism.addresses import Site
from peabench.mechanism.errors import MechanismError
from peabench.mechanism.expressions import Expression
from peabench.mechanism.records import Label, Record
from peabench.mechanism.tensors import TensorReference


class Feature(Record):
    """A direction that the activations at a site contain in the amount that `activation` says."""

    name: Label
    site: Site
    direction: TensorReference
    """Vector `[d_model]`, not zero."""
    activation: Expression
    """Boolean (fires or not), or a number (0 where it does not fire), in terms of the causal model's variables."""
    parents: tuple[Label, ...] = ()
    """Features that fire wherever this one does: its superordinates in the hierarchy."""
    subspace: Label | None = None
    """Features of one subspace are the coordinates of a single feature of several dimensions, such as a circle."""
    description: str = ""

    @model_validator(mode="after")
    def _direction_is_a_vector(self) -> Self:
        if len(self.direction.shape) != 1 or self.direction.dtype != "float32":
            raise MechanismError(
                f"expected a float32 direction of shape [d_model], got {self.direction.dtype} "
                f"{list(self.direction.shape)}; correct the reference",
                "direction.shape",
            )
        return self


def hierarchy(features: Sequence[Feature]) -> tuple[tuple[str, str], ...]:
    """All (parent, child) pairs of names, in the order of the children."""
    return tuple((parent, feature.name) for feature in features for parent in feature.parents)


def check_hierarchy(features: Sequence[Feature]) -> None:
    """That names are unique, parents known and the hierarchy without cycles.

    Raises:
        MechanismError: its `field` starts at the list of features.
    """
    names = [feature.name for feature in features]
    for i, feature in enumerate(features):
        if feature.name in names[:i]:
            raise MechanismError(f"expected a name of its own, got {feature.name!r} again; rename one", f"{i}.name")
        for parent in feature.parents:
            if parent not in names:
                raise MechanismError(f"expected features as parents, got {parent!r}; add or remove it", f"{i}.parents")
    try:
        TopologicalSorter({feature.name: feature.parents for feature in features}).prepare()
    except CycleError as error:
        cycle = error.args[1]
        raise MechanismError(
            f"expected no cycle among parents, got {' -> '.join(cycle)}; break the cycle",
            f"{names.index(cycle[-1])}.parents",
        ) from None


def check_direction(direction: Float[Tensor, " d_model"], field: str) -> None:
    """That a direction is not zero; a MechanismError about `field` if it is."""
    if not bool(direction.any()):
        raise MechanismError("expected a direction other than zero, got zero; remove the feature", field)
