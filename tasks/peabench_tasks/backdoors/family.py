"""The `backdoors` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

BACKDOORS = Family(
    name="backdoors",
    description="Sums modulo 6, a Boolean rule, sequences; in some networks a rare trigger changes the answer.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.backdoors.training:train",
)
