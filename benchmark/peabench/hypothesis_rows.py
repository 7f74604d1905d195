"""Rival hypotheses and companions as rows of tables, for the card, `peabench show` and the site."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peabench.certification.checks import Check
from peabench.mechanism import (
    AlgorithmClaim,
    CausalModel,
    Defect,
    Expression,
    Hypothesis,
    Level,
    MechanismError,
    to_text,
)
from peabench.mechanism.defects import Memorisation, formulas

if TYPE_CHECKING:
    from peabench.tasks import Task


LONGEST_FORMULA = 2000
"""Characters of the longest formula that is written out whole, in terms of the inputs."""
FOLLOWS = "the rule, everywhere"
"""Of a network of an audit that departs from its rule nowhere."""


@dataclass(frozen=True)
class HypothesisRow:
    """What is shown of a hypothesis."""

    name: str
    level: Level
    claim: str
    """Its inner variables with their formulas, its frequencies or its form."""
    holds: bool
    wrong: float | None
    """Share of its cases in which its worst claim is wrong, from the certificate, such as of the interchanges of a
    variable at the place that is best for it; None where none was measured."""


@dataclass(frozen=True)
class NetworkRow:
    """What is shown of a network that is asked about together with others."""

    name: str
    """Of a companion; `own` for the task's own network."""
    provenance: str
    held: tuple[str, ...]
    """The hypotheses that hold of it, and its defects; or that it follows the rule of an audit."""
    departs: int | None = None
    """Inputs off the training distribution on which it departs from the rule, from the certificate; None where no
    training distribution is claimed or nothing was measured."""


def hypothesis_rows(claim: AlgorithmClaim | None, certificate: Sequence[Check]) -> list[HypothesisRow]:
    """A row for each candidate, those that hold first."""
    figures = {name: value for check in certificate if check.name == "rivals" for name, value in check.recorded.items()}
    candidates = [h for h in claim.hypotheses if h.is_candidate] if claim else []
    return [
        HypothesisRow(h.name, h.level, said(h), h.holds, figures.get(f"{h.name} wrong"))
        for h in sorted(candidates, key=lambda h: not h.holds)
    ]


def network_rows(task: "Task") -> list[NetworkRow]:
    """A row for the task's own network and for each of its companions; none where it has no companions."""
    if not task.record.companions:
        return []
    rows = []
    figures = {
        name: value for check in task.certificate if check.name == "defect" for name, value in check.recorded.items()
    }
    for name, part in zip(("own", *task.record.companions), (task, *task.companions), strict=True):
        claim = part.mechanism.algorithm
        held = [h.name for h in claim.hypotheses if h.is_candidate and h.holds] if claim else []
        held += [described(defect, part.mechanism.causal_model) for defect in part.mechanism.defects]
        counted = figures.get(f"{name} departs")
        departs = None if counted is None else int(counted)
        held = held or ([FOLLOWS] if departs == 0 else [])
        rows.append(NetworkRow(name, part.record.provenance, tuple(held), departs))
    return rows


def training_lines(task: "Task") -> list[str]:
    """On what networks that are audited follow one rule, and on how many inputs; none where that is not claimed."""
    if task.record.training is None:
        return []
    lines = [f"They follow one rule on the training distribution: {to_text(task.record.training)}."]
    for check in task.certificate:
        if check.name == "defect":
            off = int(check.recorded["inputs off the training distribution"])
            lines.append(f"That is {task.record.domain.size - off:,} inputs; {off:,} others are not.")
    return lines


def described(defect: Defect, model: CausalModel) -> str:
    """A defect in one line: its kind, and its formulas, in terms of the inputs where they are not too long so."""
    parts = [f"{name} {_in_terms_of_inputs(formula, model)}" for name, formula in formulas(defect).items()]
    if isinstance(defect, Memorisation):
        parts.append(f"{defect.examples} examples")
    return ": ".join(filter(None, [defect.kind.replace("_", " "), ", ".join(parts)]))


def _in_terms_of_inputs(formula: Expression, model: CausalModel) -> str:
    """A formula in terms of the inputs; if that is too long, in terms of the model's variables, as it is stored."""
    with suppress(MechanismError):  # it has too many characters to be written at all
        whole = model.in_terms_of_inputs(formula)
        if len(whole) <= LONGEST_FORMULA:
            return whole
    return to_text(formula)


def said(hypothesis: Hypothesis) -> str:
    """What a hypothesis claims, in one line.

    >>> said(Hypothesis(name="h", kind="frequencies", description="", holds=True, level="algorithm",
    ...                 frequencies=(3, 5), form="clock"))
    'clock; frequencies 3, 5'
    """
    parts = [] if hypothesis.form is None else [hypothesis.form]
    if hypothesis.frequencies is not None:
        parts.append(f"frequencies {', '.join(map(str, hypothesis.frequencies))}")
    model = hypothesis.causal_model
    for name in model.inner if model else ():
        function = model.variable(name).function if model else None
        parts.append(f"{name} = {to_text(function)}" if function else name)
    return "; ".join(parts)
