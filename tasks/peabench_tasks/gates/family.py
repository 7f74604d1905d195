"""The `gates` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

GATES = Family(
    name="gates",
    description="Many logic gates of pairs of inputs, computed in superposition; what the weights do is verified.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.gates.training:train",
)
