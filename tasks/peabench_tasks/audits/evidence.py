"""`python -m peabench_tasks.audits.evidence [GLOB]`: where audited networks depart from their rule, in Markdown.

The counts are those of the stored certificates: every input of the domain, on the training distribution and off it.
"""

import sys

from peabench.audits import defective, members_of
from peabench.catalogue import bundled_tasks, select
from peabench.tasks import CERTIFICATE_FILE, Task, load_task
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
    found = [task for task in select(bundled_tasks(), sys.argv[1:] or ["*"]) if "audits" in task.tracks]
    audited = [load_task(task.folder) for task in found if (task.folder / CERTIFICATE_FILE).exists()]
    lines = [[*HEADINGS], ["---", *["---:"] * (len(HEADINGS) - 1)]]
    lines += [[f"`{task.record.id}`", *figures(task)] for task in audited]
    sys.stdout.writelines("| " + " | ".join(cells) + " |\n" for cells in lines)


def figures(task: Task) -> list[str]:
    """One row's cells behind its name; of several networks the least and the greatest count.

    Raises:
        ValueError: the certificate compares no networks.
    """
    checks = {check.name: check for check in task.certificate}
    if not {"same behaviour", "defect"} <= checks.keys():
        raise ValueError(f"the certificate of {task.record.id} compares no networks; certify it again")
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
    main()
