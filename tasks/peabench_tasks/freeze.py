"""`python -m peabench_tasks.freeze VERSION`: pin the suites to the content of the tasks as they are now."""

import sys
from pathlib import Path

from peabench.catalogue import bundled_tasks, select
from peabench.suites import frozen

FOLDER = Path(__file__).parent / "suites"
SUITES = {
    "core": ("Every task in the wheel.", ["*"]),
    "smoke": (
        "A minute's worth, to see that an installation works.",
        ["boolean/tree-xs-0", "boolean/tree-xs-1", "boolean/redundant-s-0", "boolean/rare-s-0"],
    ),
}


def main() -> None:
    """Write every suite's file."""
    version = int(sys.argv[1])
    tasks = [task for task in bundled_tasks() if (task.folder / "certificate.json").exists()]
    for name, (description, globs) in SUITES.items():
        suite = frozen(name, version, description, select(tasks, globs))
        (FOLDER / f"{name}.json").write_text(suite.model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    main()
