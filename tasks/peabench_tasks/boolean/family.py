"""The `boolean` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Drawing, Family

BOOLEAN = Family(
    name="boolean",
    description="Trees over AND, OR, XOR, NOT, IMPLIES and majority, planted gate by gate in residual MLPs.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.boolean.training:train",
    drawing=Drawing(
        kinds=(
            "tree-xs",
            *(
                f"{variant}-{size}"
                for variant in ("tree", "decoy", "redundant", "cancelling", "rare", "split", "few")
                for size in ("s", "m")
            ),
            "tree-l",
        ),
        draw="peabench_tasks.boolean.drawing:draw",
    ),
)
