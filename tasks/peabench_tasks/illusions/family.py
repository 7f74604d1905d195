"""The `illusions` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

ILLUSIONS = Family(
    name="illusions",
    description="Small formulas with a dormant path: a subspace that acts and is never used, planted.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.illusions.training:train",
)
