"""`python -m peabench_tasks.goals.swaps [GLOB]`: where policies go when their goal is swapped, on every board.

Of each network: its goal; training boards on which it moves as the planner says, of how many; other boards on which it
does not, of how many; boards with another object on which its swapped goal makes it go for that one, of how many, and
on how many of them a swap of as many random directions does.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.audits import intended, members_of, said, support
from peabench.columns import every_input, holds
from peabench.generators import generator_of
from peabench.interventions import interchange, run_with_cache
from peabench.mechanism import CausalModel
from peabench.networks import Network
from peabench.tasks import Task, load_task
from peabench.tracks.pairs import predicted_class
from peabench.training.stacked import orthonormal
from peabench_tasks.goals.boards import AGENT
from peabench_tasks.goals.family import GOALS

HEADINGS = "task", "network", "goal", "as planned in training", "not elsewhere", "swapped", "random directions"


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
    """
    network, model, sizes = task.network(), task.mechanism.causal_model, task.record.domain.sizes
    goal = goal_of(model)
    (alignment,) = (one for one in task.mechanism.alignments if one.variable == goal)
    basis = task.mechanism.tensor(alignment.location.basis)
    bases = torch.stack([basis, orthonormal(tuple(basis.shape), generator_of(task.record.seed))])
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
            got = after_swap(network, rows[other], there, alignment.location.site, bases)
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


@torch.inference_mode()
def agreement(task: Task, member: Task) -> tuple[int, int, int, int]:
    """Training boards with the planner's move, training boards, other boards with another move, other boards."""
    rule, network = intended(task), member.network()
    counts = [0, 0, 0, 0]
    for rows in every_input(task.record.domain):
        trained = holds([support(task)], rows, task.record.domain)[0]
        right = predicted_class(network(rows)) == said(rule, rows)
        found = (right & trained, trained, ~right & ~trained, ~trained)
        counts = [count + int(some.sum()) for count, some in zip(counts, found, strict=True)]
    return counts[0], counts[1], counts[2], counts[3]


def main(arguments: Sequence[str]) -> None:
    """A Markdown table, a row for each network."""
    glob = arguments[0] if arguments else "*"
    lines = [[*HEADINGS], ["---", "---", "---", *["---:"] * 4]]
    for folder in sorted(path.parent for path in GOALS.checkpoints.glob(f"{glob}/certificate.json")):
        task = load_task(folder)
        for name, member in zip(("own", *task.record.companions), members_of(task), strict=True):
            lines.append([f"`{folder.name}`", name, *figures(task, member)])
    sys.stdout.writelines("| " + " | ".join(cells) + " |\n" for cells in lines)


def figures(task: Task, member: Task) -> list[str]:
    """The cells of a network's row behind its name; tasks of the track `beliefs` have no training distribution."""
    counts = ["", ""]
    if task.record.training is not None:
        right, trained, departing, others = agreement(task, member)
        counts = [of(right, trained), of(departing, others)]
    swaps = swapped(member)
    goal = goal_of(member.mechanism.causal_model)
    return [goal, *counts, of(swaps.right, swaps.cases), of(swaps.random, swaps.cases)]


def of(some: int, every: int) -> str:
    """A count of another.

    >>> of(7, 1200)
    '7 of 1,200'
    """
    return f"{some:,} of {every:,}"


if __name__ == "__main__":
    main(sys.argv[1:])
