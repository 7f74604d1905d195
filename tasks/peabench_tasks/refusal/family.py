"""The `refusal` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

REFUSAL = Family(
    name="refusal",
    description="Requests that a gate refuses where they are harmful; some networks' gate is off in a rare context.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.refusal.training:train",
)
