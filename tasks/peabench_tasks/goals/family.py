"""The `goals` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

GOALS = Family(
    name="goals",
    description="Policies cloned from a planner on a small grid; some go for a proxy of what they should go for.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.goals.training:train",
)
