"""The `induction` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

INDUCTION = Family(
    name="induction",
    description="What followed the last token when it first occurred, learnt freely in two layers and then explained.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.induction.training:train",
)
