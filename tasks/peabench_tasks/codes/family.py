"""The `codes` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

CODES = Family(
    name="codes",
    description="Many Boolean clauses, learnt freely by one hidden layer whose neurons they share.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.codes.training:train",
)
