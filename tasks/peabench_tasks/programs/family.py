"""The `programs` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

PROGRAMS = Family(
    name="programs",
    description="Sequence programs (sort, Dyck, most frequent, ...), planted edge by edge in transformers.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.programs.training:train",
)
