"""`peabench reveal`: what a sealed suite's tasks really are, held against what was published of them."""

from pathlib import Path
from typing import Annotated

import typer

from peabench.cli.output import JsonOption, display, note, print_json, table
from peabench.cli.progress import named_bars

LONGEST_FORMULA = 300
"""Characters of a formula that the table writes out; a longer one stands in terms of its parents."""


def reveal(
    truth: Annotated[Path, typer.Argument(metavar="DIR", help="The half of a sealed suite that was kept.")],
    verify: Annotated[
        str | None,
        typer.Option(metavar="DIR|SUITE", help="The published half, or the name of one that was downloaded."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show the truth of a sealed suite; with --verify, check it against commitments, questions and weights.

    Exit code 1 if it is not what was committed to, or is not true of the published weights.
    """
    from peabench.sealing import open_truth, sealed_suite, verify_truth

    suite = sealed_suite(truth)
    problems: dict[str, str | None] = {}
    if verify is not None:
        with named_bars() as report:
            problems = verify_truth(truth, verify, lambda _task, share: report("verifying", share))
    failed = {task: problem for task, problem in problems.items() if problem is not None}
    for problem in failed.values():
        note(problem)
    if failed:
        raise typer.Exit(1)
    tasks = open_truth(truth)
    if json:
        print_json(
            [
                {"task": name, "description": task.record.description, "difficulty": task.record.difficulty}
                | {"formula": task.mechanism.causal_model.formula()}
                | {"verified": verify is not None, "commitment": suite.commitments[name]}
                for name, task in tasks.items()
            ]
        )
        return
    rows = [
        (name, task.record.description, task.mechanism.causal_model.formula(LONGEST_FORMULA))
        for name, task in tasks.items()
    ]
    display(table(f"{suite.name}: {len(rows)} tasks", [("Task", "fold"), ("What", "fold"), ("Output", "fold")], rows))
    if verify is not None:
        note(f"All {len(rows)} are as committed to, and true of the weights in {verify}.")
