"""The `attributes` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

ATTRIBUTES = Family(
    name="attributes",
    description="Queries about more attributes than dimensions, planted as directions of words in residual MLPs.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.attributes.training:train",
)
