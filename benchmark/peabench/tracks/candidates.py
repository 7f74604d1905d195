"""Rival hypotheses as a question shows them: all that they claim, and nothing that tells which of them hold."""

import torch

from peabench.mechanism import CausalModel, Hypothesis, Level, neutral
from peabench.mechanism.records import Label, Record
from peabench.tasks import Task
from peabench.tracks.pairs import generator_from


class Candidate(Record):
    """One hypothesis of a question."""

    causal_model: CausalModel | None = None
    """What is computed on the way, its inner variables called `v0`, `v1`, ...; None where the claim is another one."""
    frequencies: tuple[int, ...] | None = None
    """Fourier frequencies in use, for instance those of modular addition."""
    form: Label | None = None
    """Name of a closed form: `clock`, `pizza`."""


def candidates_of(task: Task, level: Level, draw: int) -> list[tuple[Candidate, bool]]:
    """The candidates of a level, each with whether it holds, in an order drawn for this task.

    The order depends on the task's whole record, so that nobody can draw it again who has not all of it.
    """
    claim = task.mechanism.algorithm
    found = [h for h in claim.hypotheses if h.is_candidate and h.level == level] if claim else []
    generator = generator_from(task.record.model_dump_json(), "hypotheses", level, str(draw))
    order = torch.randperm(len(found), generator=generator).tolist()
    return [(shown(found[i]), found[i].holds) for i in order]


def shown(hypothesis: Hypothesis) -> Candidate:
    """A hypothesis without its name, its description and its truth."""
    model = hypothesis.causal_model
    return Candidate(
        causal_model=None if model is None else neutral(model),
        frequencies=hypothesis.frequencies,
        form=hypothesis.form,
    )
