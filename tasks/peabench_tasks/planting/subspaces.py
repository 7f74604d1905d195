"""Which of the planted directions hold which variable."""

from peabench_tasks.planting.program import Program


def subspaces(program: Program) -> dict[str, slice]:
    """Columns of the planted basis that hold each step's variable."""
    found, at = {}, 0
    for step in program.steps:
        found[step.variable] = slice(at, at + step.code.shape[-1])
        at += step.code.shape[-1]
    return found


def planted_size(program: Program) -> int:
    """Columns of the planted basis."""
    return sum(step.code.shape[-1] for step in program.steps)
