"""Inputs that answers about beliefs are graded on: none that the question shows, nor any beginning of one of those."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.belief_states import first_of_each, inputs_that_occur, states
from peabench.errors import PeabenchError
from peabench.tasks import Task
from peabench.tracks.pairs import generator_from

if TYPE_CHECKING:
    from peabench.tracks.beliefs import BeliefQuestion

DRAWN = 4096
"""Inputs that are drawn as they occur, with replacement."""
MOST = 1024
"""Inputs that are graded on."""
FEWEST = 64
"""Points that there must be."""


@dataclass(frozen=True)
class Points:
    """Held-out inputs, and at which of their positions read-outs are graded."""

    population: Int[Tensor, "input column"]
    """Each input that was drawn, once: of a small domain nearly all that there are, those that the question shows among
    them, and of a large one fewer than `DRAWN`."""
    inputs: Int[Tensor, "row column"]
    """The held-out ones of these."""
    fresh: Bool[Tensor, "row #position"]
    """Whether what tells the state at a position, as the tokens up to it, is in no input that the question shows, nor
    in another held-out one before it: every history counts once."""
    states: Float[Tensor, "point k"]
    """The exact state at each of those."""
    partner: Int[Tensor, " row"]
    """Another of the inputs for each, from which states are swapped in."""


def held_out(task: Task, question: "BeliefQuestion") -> Points:
    """The points that answers to a question are graded on, the same every time.

    Raises:
        PeabenchError: there are hardly any that the question does not show.
    """
    generator = generator_from(task.record.model_dump_json(), "held out", question.inputs)
    population = inputs_that_occur(task.mechanism.beliefs, question.domain, DRAWN, generator).unique(dim=0)
    tracked = question.tracked
    known, found = tracked.histories(question.inputs), tracked.histories(population)
    unseen = ~torch.isin(found, known)
    inputs = population[unseen[:, -1]]
    inputs = inputs[torch.randperm(len(inputs), generator=generator)[:MOST]]
    mine = tracked.histories(inputs)
    fresh = first_of_each(mine) & ~torch.isin(mine, known)
    if int(fresh.sum()) < FEWEST:
        raise PeabenchError(
            f"Expected at least {FEWEST} histories of {task.record.id} that its question does not show, got "
            f"{int(fresh.sum())}; give its record fewer examples or longer inputs."
        )
    exact = states(tracked, inputs)
    return Points(population, inputs, fresh, exact[fresh], torch.randperm(len(inputs), generator=generator))
