"""The `sums` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

SUMS = Family(
    name="sums",
    description="Addition with carry: digits one after another, all at once, or by whole numbers, in residual MLPs.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.sums.training:train",
)
