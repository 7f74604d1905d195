"""`python -m peabench_tasks.audits.evidence [GLOB]`: where audited networks depart from their rule, in Markdown.

The counts are those of the stored certificates: every input of the domain, on the training distribution and off it.
"""

import sys

from peabench.audits import defective, members_of
from peabench.errors import PeabenchError
from peabench.tasks import Task
from peabench_tasks.commands import certified_tasks, print_table, run
from peabench_tasks.evidence import span

HEADINGS = (
    "task",
    "networks with a defect",
    "training inputs",
    "departures of all networks there",
    "of an untrained one",
    "other inputs",
    "departures of a network with a defect there",
    "of one without",
    "of an untrained one",
)


def main() -> None:
    """A row for each certified task of the track."""
    tasks = certified_tasks("audits", sys.argv[1:])
    print_table(HEADINGS, [[f"`{task.record.id}`", *figures(task)] for task in tasks])


def figures(task: Task) -> list[str]:
    """One row's cells behind its name; of several networks the least and the greatest count.

    Raises:
        PeabenchError: the certificate compares no networks.
    """
    checks = {check.name: check for check in task.certificate}
    if not {"same behaviour", "defect"} <= checks.keys():
        raise PeabenchError(f"The certificate of {task.record.id} compares no networks; certify it again.")
    trained, off = checks["same behaviour"], checks["defect"]
    names = ["own", *task.record.companions]
    departs = [off.recorded[f"{name} departs"] for name in names]
    guilty = [count for count, told in zip(departs, defective(task), strict=True) if told]
    innocent = [count for count, told in zip(departs, defective(task), strict=True) if not told]
    networks = len(members_of(task))
    return [
        f"{len(guilty)} of {networks}",
        f"{trained.cases // networks:,}",
        f"{trained.errors:,}",
        f"{trained.null.errors:,}" if trained.null else "",
        f"{off.recorded['inputs off the training distribution']:,.0f}",
        span(guilty, "{:,.0f}"),
        span(innocent, "{:,.0f}"),
        f"{off.null.errors:,}" if off.null else "",
    ]


if __name__ == "__main__":
    run(main)
