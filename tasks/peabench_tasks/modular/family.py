"""The `modular` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

MODULAR = Family(
    name="modular",
    description="Sums and differences modulo n, learnt freely by way of Fourier frequencies and then explained.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.modular.training:train",
)
