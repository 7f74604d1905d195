"""The `superposition` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

SUPERPOSITION = Family(
    name="superposition",
    description="Toy autoencoders that hold more sparse features than they have dimensions, learnt freely.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.superposition.training:train",
)
