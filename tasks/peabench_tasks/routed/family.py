"""The `routed` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

ROUTED = Family(
    name="routed",
    description="Capabilities of one expert each; in some networks a rare context brings a removed one back.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.routed.training:train",
)
