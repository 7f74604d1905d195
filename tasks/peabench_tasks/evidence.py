"""`python -m peabench_tasks.evidence [GLOB]`: what the stored certificates say of circuits, as a Markdown table."""

import sys
from itertools import groupby

from peabench.certification import Check
from peabench.errors import PeabenchError
from peabench.tasks import Task
from peabench_tasks.commands import certified_tasks, print_table, run

RESAMPLED, INTACT = " with the complement resampled", " in the intact network"
HEADINGS = (
    "tasks",
    "required edges",
    "optional",
    "thrown out",
    "wrong with everything else resampled",
    "wrong with an edge of it dropped too",
    "wrong with that edge alone patched",
)


def main() -> None:
    """A row for each variant and size: the least and the greatest figure over its networks and their edges."""
    alike = groupby(certified_tasks("circuits", sys.argv[1:]), key=lambda task: task.record.id.rpartition("-")[0])
    print_table(HEADINGS, [[f"`{name}`", *figures(list(tasks))] for name, tasks in alike])


def figures(tasks: list[Task]) -> list[str]:
    """One row's cells behind its name; edges that are in no sufficient circuit were planted and thrown out.

    Raises:
        PeabenchError: a task has no circuit.
    """
    counts = []
    for task in tasks:
        circuit = task.mechanism.circuit
        if circuit is None:
            raise PeabenchError(f"{task.record.id} has no circuit; name tasks of the track circuits.")
        listed = {edge.edge for edge in circuit.edges}
        needed = frozenset().union(*circuit.sufficient)
        counts.append((len(circuit.required), len(needed - circuit.required), len(listed - needed)))
    checks = [{check.name: check for check in task.certificate} for task in tasks]
    sufficiency = [check["sufficiency"] for check in checks]
    return [
        *(span(column, "{:.0f}") for column in zip(*counts, strict=True)),
        span([check.errors for check in sufficiency], "{:.0f}") + f" of {max(check.cases for check in sufficiency):,}",
        *(
            span([rate for check in checks for rate in rates(check["necessity"], end)], "{:.2%}")
            for end in (RESAMPLED, INTACT)
        ),
    ]


def rates(necessity: Check, end: str) -> list[float]:
    """The share of wrong outputs without each of the edges."""
    return [share for name, share in necessity.recorded.items() if name.endswith(end)]


def span(values: list[float] | tuple[float, ...], form: str) -> str:
    """The least and the greatest, or the one."""
    least, most = form.format(min(values)), form.format(max(values))
    return least if least == most else f"{least} to {most}"


if __name__ == "__main__":
    run(main)
