"""A family that draws at once: hand-written networks with companions of both kinds."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rival_networks import save_rivals

from peabench.registry import Draft, Drawing, Family
from peabench.tasks import save_certificate

HYPOTHESES = ("factored", "expanded")


def draw(drafts: Sequence[Draft], progress: Callable[[str, float], None]) -> None:
    for draft in drafts:
        task = save_rivals(draft.folder, companions={"a": "expanded", "b": "factored"}, names=HYPOTHESES)
        for part in (*task.companions, task):
            save_certificate(part.folder, [])  # sealing measures its own


RIVALS = Family(
    "hand", "Rivals.", Path("/nonexistent"), "nowhere:train", Drawing(kinds=("rivals-xs",), draw="rival_family:draw")
)
