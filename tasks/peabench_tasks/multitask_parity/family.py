"""The `multitask_parity` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

MULTITASK_PARITY = Family(
    name="multitask_parity",
    description="One of two parities, as a control bit says: which unit serves which of them?",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.multitask_parity.training:train",
)
