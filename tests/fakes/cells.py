"""Cells of a task in a folder, and results made up for the tests of what is computed from results."""

from peabench.catalogue import content_hash
from peabench.cells import Cell
from peabench.discovery import ScorerEntry
from peabench.results import CellKey, CellResult, Cost
from peabench.tasks import Task


def cell(scorer: str, task: str, score: float | None, role: str = "method", **fields: object) -> CellResult:
    """A result of a scorer on a task, failed where it has no score; fields of its key, or its provenance, by name."""
    names = {"track": "circuits", "track_version": 1, "scorer_version": "1", "source_hash": "", "others_hash": ""}
    own = {name: str(fields.pop(name)) for name in ("provenance", "suite", "reason") if name in fields}
    ids = names | {"scorer": scorer, "task": task, "content_hash": task, "seed": 0, "device": "cpu"} | fields
    return CellResult.model_validate(
        {
            "key": CellKey.model_validate(ids),
            "role": role,
            "suite": "core 1",
            "status": "failed" if score is None else "ok",
            "reason": "broken" if score is None else "",
            "metrics": {} if score is None else {"score": score},
            "questions": [] if score is None else [{"score": score}],
            "cost": Cost(forward_passes=10, backward_passes=2, wall_seconds=0.5, peak_memory_bytes=1000),
        }
        | own
    )


def cell_on(task: Task, entry: ScorerEntry) -> Cell:
    """The cell of a scorer and a task, of which no suite and no other task is known."""
    key = CellKey(
        track=entry.track,
        track_version=1,
        scorer=entry.name,
        scorer_version=entry.version,
        source_hash=entry.source_hash,
        task=task.record.id,
        content_hash=content_hash(task.folder),
        others_hash="",
        seed=0,
        device="cpu",
    )
    return Cell(key, entry, "test", task.folder, ())
