"""The `memorised` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

MEMORISED = Family(
    name="memorised",
    description="A formula of five bits; some networks look answers up in a table of what training showed.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.memorised.training:train",
)
