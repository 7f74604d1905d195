"""`python -m peabench_tasks.evidence [GLOB]`: what the stored certificates say of circuits, as a Markdown table."""

import sys
from itertools import groupby

from peabench.catalogue import bundled_tasks, select
from peabench.certification import Check
from peabench.tasks import Task, load_task

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
    found = select(bundled_tasks(), sys.argv[1:] or ["*"])
    certified = [load_task(task.folder) for task in found if (task.folder / "certificate.json").exists()]
    lines = [[*HEADINGS], ["---", *["---:"] * (len(HEADINGS) - 1)]]
    for name, tasks in groupby(certified, key=lambda task: task.record.id.rpartition("-")[0]):
        lines.append([f"`{name}`", *figures(list(tasks))])
    sys.stdout.writelines("| " + " | ".join(cells) + " |\n" for cells in lines)


def figures(tasks: list[Task]) -> list[str]:
    """One row's cells behind its name; edges that are in no sufficient circuit were planted and thrown out."""
    counts = []
    for task in tasks:
        circuit = task.mechanism.circuit
        if circuit is None:
            raise ValueError(f"{task.record.id} has no circuit")
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
    main()
