"""`python -m peabench_tasks.freeze VERSION [SUITE ...]`: pin suites to the content of the tasks as they are now."""

import sys
from pathlib import Path

from peabench.catalogue import bundled_tasks, select
from peabench.errors import PeabenchError
from peabench.illusions import installed_illusions
from peabench.suites import frozen
from peabench_tasks.commands import run

FOLDER = Path(__file__).parent / "suites"
SUITES = {
    "core": (
        "Every Boolean network, and the first network of every planted transformer.",
        ["boolean/*", "programs/*-0", "name_mover/*-0"],
    ),
    "planted-transformers": ("All planted transformers.", ["programs/*", "name_mover/*"]),
    "derived-transformers": (
        "Freely trained transformers whose mechanism was found afterwards: anchors, which good methods get right.",
        ["induction/*", "max_of_k/*"],
    ),
    "features": (
        "The first network of every variant of the smallest size, whose features are certified.",
        ["attributes/*-xs-0", "codes/*-xs-0", "superposition/*-xs-0", "gates/*-xs-0"],
    ),
    "rivals": (
        "Networks with rival hypotheses, and sets of networks of one behaviour.",
        [
            "distributive/*",
            "sparse_parity/*",
            "multitask_parity/*",
            "tracking/*",
            "facts/*",
            "modular/clock-*",
            "modular/pizza-*",
        ],
    ),
    "illusions": (
        "Networks on which a popular method is wrong, and plain ones to compare with: it cuts across tracks.",
        sorted({task for illusion in installed_illusions() for task in (*illusion.tasks, *illusion.plain)}),
    ),
    "beliefs": (
        "Networks that keep track of a state; but for the control Mess3, of which no method can show anything.",
        ["hmm/r*", "board/*", "goals/decoy-*", "goals/few-*"],
    ),
    "audits": (
        "Sets of networks that follow one rule on the training distribution; some depart from it elsewhere.",
        [
            "backdoors/*",
            "shortcuts/*",
            "memorised/*",
            "goals/open-*",
            "goals/evasive-*",
            "goals/vacuous-*",
            "refusal/*",
            "routed/*",
        ],
    ),
    "smoke": (
        "A minute's worth, to see that an installation works.",
        ["boolean/tree-xs-0", "boolean/tree-xs-1", "boolean/redundant-s-0", "boolean/rare-s-0"],
    ),
}


def main() -> None:
    """Write the file of each suite that is named, or of all.

    Raises:
        PeabenchError: the version is no number, or a suite is unknown.
    """
    version, *names = sys.argv[1:] or [""]
    if not version.isdecimal() or not set(names) <= SUITES.keys():
        raise PeabenchError(
            f"Expected a version and any of {', '.join(SUITES)}, got {' '.join(sys.argv[1:]) or 'nothing'!r}."
        )
    tasks = [task for task in bundled_tasks() if (task.folder / "certificate.json").exists()]
    for name in names or SUITES:
        description, globs = SUITES[name]
        suite = frozen(name, int(version), description, select(tasks, globs))
        (FOLDER / f"{name}.json").write_text(suite.model_dump_json(indent=1) + "\n")


if __name__ == "__main__":
    run(main)
