"""The `tracking` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

TRACKING = Family(
    name="tracking",
    description="The product of three or four permutations: bracketings, with or without the sign first.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.tracking.training:train",
)
