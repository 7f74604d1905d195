"""A family that draws at once: it takes tasks of the installed `boolean` family for fresh ones."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

from peabench.registry import Draft, Drawing, Family, families
from peabench.sealing.keys import derive_seed


def draw(drafts: Sequence[Draft], progress: Callable[[str, float], None]) -> None:
    progress("borrowed", 0.0)
    checkpoints = families()["boolean"].checkpoints
    for draft in drafts:
        found = sorted(checkpoints.glob(f"{draft.kind}-*"))
        shutil.copytree(found[derive_seed(draft.key) % len(found)], draft.folder, dirs_exist_ok=True)
    progress("borrowed", 1.0)


KINDS = ("tree-xs", "tree-s", "decoy-s", "redundant-s", "cancelling-s", "split-s")


def borrowed() -> Family:
    """The family."""
    drawing = Drawing(kinds=KINDS, draw="borrowed_family:draw")
    return replace(families()["boolean"], name="borrowed", drawing=drawing)
