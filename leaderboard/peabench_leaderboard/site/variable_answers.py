"""Answers of the variables track held against the truth: where a scorer put a variable, and how near it came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import Mechanism, SiteAddress
from peabench.tracks.locations import candidates, overlap, residual_locations


@dataclass(frozen=True)
class VariablePlaces:
    """Where one variable is certified to live."""

    variable: str
    sites: tuple[str, ...]


@dataclass(frozen=True)
class VariableMark:
    """Where a scorer put one variable."""

    variable: str
    site: str
    overlap: float
    """Mean squared cosine of the angles to the certified subspace of that site; 0 where none is certified there."""
    kind: Literal["found", "false"]
    missed: tuple[str, ...]
    """The certified sites, where the scorer named another."""
    score: float | None


@dataclass(frozen=True)
class VariableOverlay:
    """A scorer's answers to a task's questions."""

    key: str
    label: str
    marks: tuple[VariableMark, ...]


def certified_places(mechanism: Mechanism) -> list[VariablePlaces]:
    """Every inner variable with a certified subspace of the residual stream."""
    return [
        VariablePlaces(variable, tuple(site for site, _ in residual_locations(mechanism, variable)))
        for variable in candidates(mechanism)
    ]


def variable_overlay(
    key: str,
    label: str,
    mechanism: Mechanism,
    variables: Sequence[str],
    answers: Sequence[Mapping[str, object]],
    scores: Sequence[float | None],
) -> VariableOverlay:
    """A scorer's answers beside the truth.

    Args:
        key: tells the answers from the others of their page.
        label: the scorer.
        mechanism: the truth.
        variables: what each question asked about.
        answers: `site` and `basis` of each question.
        scores: of each question; None where it is not known.
    """
    marks = []
    for variable, answer, score in zip(variables, answers, scores, strict=False):
        site, basis = str(SiteAddress.parse(str(answer["site"]))), answer.get("basis")
        certified = residual_locations(mechanism, variable)
        there = [truth for at, truth in certified if at == site]
        nearest = max((_overlap(basis, truth) for truth in there), default=0.0)
        missed = () if there else tuple(at for at, _ in certified)
        marks.append(VariableMark(variable, site, nearest, "found" if there else "false", missed, score))
    return VariableOverlay(key, label, tuple(marks))


def _overlap(basis: object, truth: Float[Tensor, "d_model k"]) -> float:
    """Of a whole site, whose basis is None: the truth's share of its dimensions."""
    if not isinstance(basis, Tensor):
        return truth.shape[1] / truth.shape[0]
    return overlap(basis.to(truth.dtype), truth)
