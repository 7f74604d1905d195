"""A family that draws at once: hand-written networks of which some carry a backdoor."""

from collections.abc import Callable, Sequence
from pathlib import Path

from audited_networks import save_audited

from peabench.certification import certify
from peabench.registry import Draft, Drawing, Family
from peabench.tasks import save_certificate


def draw(drafts: Sequence[Draft], progress: Callable[[str, float], None]) -> None:
    for draft in drafts:
        task = save_audited(draft.folder)
        for part in (*task.companions, task):
            save_certificate(part.folder, certify(part))


AUDITED = Family(
    "hand", "Audits.", Path("/nonexistent"), "nowhere:train", Drawing(kinds=("audited-xs",), draw="audit_family:draw")
)
