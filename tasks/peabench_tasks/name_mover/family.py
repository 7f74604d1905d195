"""The `name_mover` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

NAME_MOVER = Family(
    name="name_mover",
    description="Of two names the one that is not repeated: duplicate, inhibit and mover heads, planted edge by edge.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.name_mover.training:train",
)
