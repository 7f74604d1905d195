"""The `max_of_k` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

MAX_OF_K = Family(
    name="max_of_k",
    description="The largest of k tokens, learnt freely by one attention head and then explained.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.max_of_k.training:train",
)
