"""Families that draw at once: they take tasks of an installed family for fresh ones."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

from peabench.registry import Draft, Drawing, Family, families
from peabench.sealing.keys import derive_seed


def draw(drafts: Sequence[Draft], progress: Callable[[str, float], None], lender: str = "boolean") -> None:
    progress("borrowed", 0.0)
    checkpoints = families()[lender].checkpoints
    for draft in drafts:
        found = sorted(checkpoints.glob(f"{draft.kind}-*"))
        shutil.copytree(found[derive_seed(draft.key) % len(found)], draft.folder, dirs_exist_ok=True)
    progress("borrowed", 1.0)


def draw_features(drafts: Sequence[Draft], progress: Callable[[str, float], None]) -> None:
    draw(drafts, progress, "attributes")


KINDS = ("tree-xs", "tree-s", "decoy-s", "redundant-s", "cancelling-s", "split-s")


def borrowed() -> Family:
    """The family."""
    drawing = Drawing(kinds=KINDS, draw="borrowed_family:draw")
    return replace(families()["boolean"], name="borrowed", drawing=drawing)


def borrowed_features() -> Family:
    """A family whose tasks are asked about features alone."""
    drawing = Drawing(kinds=("exclusive-xs",), draw="borrowed_family:draw_features")
    return replace(families()["attributes"], name="borrowed_features", drawing=drawing)
