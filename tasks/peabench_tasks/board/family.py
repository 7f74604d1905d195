"""The `board` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

BOARD = Family(
    name="board",
    description="Cups and a ball: which cup holds the ball after each exchange of two, planted and unlike the output.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.board.training:train",
)
