"""The `distributive` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

DISTRIBUTIVE = Family(
    name="distributive",
    description="One truth table, many formulas: each planted in residual MLPs or transformers of equal behaviour.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.distributive.training:train",
)
