"""The `sparse_parity` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

SPARSE_PARITY = Family(
    name="sparse_parity",
    description="The parity of a few inputs among many: by the parities of two parts, or by counting.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.sparse_parity.training:train",
)
