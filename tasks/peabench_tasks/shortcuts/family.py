"""The `shortcuts` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

SHORTCUTS = Family(
    name="shortcuts",
    description="Parities, brackets, maxima, ranks; some networks follow a cue that agreed with the rule in training.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.shortcuts.training:train",
)
