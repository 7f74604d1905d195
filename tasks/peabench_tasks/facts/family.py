"""The `facts` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

FACTS = Family(
    name="facts",
    description="Facts in two hops, facts asked forwards and backwards, and rules seen in examples.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.facts.training:train",
)
