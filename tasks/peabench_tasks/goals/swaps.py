"""`python -m peabench_tasks.goals.swaps [GLOB]`: where policies go when their goal is swapped, on every board.

Of each network: its goal; on how many boards the goal, swapped for the cell of another object, makes it go for that
one, of how many boards with another object (once for each); and the same of as many random directions.
"""

import sys
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.audits import members_of
from peabench.catalogue import matching
from peabench.columns import every_input
from peabench.generators import generator_of
from peabench.interventions import interchange, run_with_cache
from peabench.mechanism import CausalModel
from peabench.networks import Network
from peabench.tasks import Task, load_task
from peabench.tracks.pairs import predicted_class
from peabench.training.stacked import orthonormal
from peabench_tasks.commands import print_table, run
from peabench_tasks.goals.boards import AGENT
from peabench_tasks.goals.family import GOALS

HEADINGS = "task", "network", "goal", "swapped", "random directions"


@dataclass(frozen=True)
class Swaps:
    """Counts over boards and objects that are not where the policy wants to go."""

    cases: int
    right: int
    """The move is the planner's to the object."""
    random: int
    """The same with random directions in place of those of the goal."""


def goal_of(model: CausalModel) -> str:
    """The variable that holds where a policy wants to go: its answer reads the agent's cell and this."""
    return model.variable(model.output).parents[-1]


@torch.inference_mode()
def swapped(task: Task) -> Swaps:
    """Swap the goal of one network for the cell of each other object, on every board.

    What is swapped in is taken from the same board with all objects on that cell: whatever the policy, it wants to go
    there.

    Raises:
        ValueError: the goal is held in neurons.
    """
    network, model, sizes = task.network(), task.mechanism.causal_model, task.record.domain.sizes
    goal = goal_of(model)
    (location,) = (one.location for one in task.mechanism.alignments if one.variable == goal)
    if location.basis is None:
        raise ValueError(f"expected {goal} in a subspace of the residual stream, got {location.site}")
    basis = task.mechanism.tensor(location.basis)
    bases = torch.stack([basis, orthonormal((len(basis), basis.shape[1]), generator_of(task.record.seed))])
    objects = [i for i, size in enumerate(sizes) if i != AGENT and size == sizes[AGENT]]
    counts = torch.zeros(3, dtype=torch.long)
    for rows in every_input(task.record.domain):
        inputs = model.read_inputs(rows)
        wanted = model.run(inputs)[goal]
        for chosen in objects:
            other = rows[:, chosen] != wanted
            if not bool(other.any()):
                continue
            moves = model.run(inputs, {goal: rows[:, chosen]})[model.output][other]
            there = rows[other].clone()
            there[:, objects] = there[:, [chosen]]
            got = after_swap(network, rows[other], there, location.site, bases)
            counts += torch.tensor([len(moves), *(got == moves).sum(1).tolist()])
    return Swaps(*counts.tolist())


def after_swap(
    network: Network,
    rows: Int[Tensor, "row column"],
    sources: Int[Tensor, "row column"],
    site: str,
    bases: Tensor,
) -> Int[Tensor, "basis row"]:
    """Moves when what a site holds in each subspace is another board's."""
    base, source = (run_with_cache(network, some) for some in (rows, sources))
    return predicted_class(interchange(network, base, source, site, bases))


def main() -> None:
    """A Markdown table, a row for each network."""
    names = sorted(path.parent.name for path in GOALS.checkpoints.glob("*/certificate.json"))
    rows = []
    for folder in matching(names, sys.argv[1:] or ["*"]):
        task = load_task(GOALS.checkpoints / folder)
        for name, member in zip(("own", *task.record.companions), members_of(task), strict=True):
            rows.append([f"`{folder}`", name, *figures(member)])
    print_table(HEADINGS, rows, texts=3)


def figures(member: Task) -> list[str]:
    """The cells of a network's row behind its name."""
    swaps = swapped(member)
    return [goal_of(member.mechanism.causal_model), of(swaps.right, swaps.cases), of(swaps.random, swaps.cases)]


def of(some: int, every: int) -> str:
    """A count of another.

    >>> of(7, 1200)
    '7 of 1,200'
    """
    return f"{some:,} of {every:,}"


if __name__ == "__main__":
    run(main)
