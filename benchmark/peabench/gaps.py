"""How far scores on public tasks stand above those on sealed ones: what a board of public tasks would hide."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from peabench.boards import Board, Row, boards
from peabench.results import CellResult
from peabench.scorers import Role
from peabench.weights import RESAMPLES, interval

Interval = tuple[float, float]


@dataclass(frozen=True)
class Gap:
    """One scorer on public and on sealed tasks."""

    track: str
    scorer: str
    role: Role
    public: float
    public_interval: Interval | None
    """Bootstrap 95% interval over tasks, like the next two; None where a family has a single task."""
    public_tasks: int
    sealed: float
    sealed_interval: Interval | None
    sealed_tasks: int
    gap: float
    """Public less sealed."""
    gap_interval: Interval | None
    """Both sets of tasks are drawn anew, one not knowing of the other: they are different tasks."""

    def listing(self) -> dict[str, Any]:
        """What `--json` prints."""
        return asdict(self)


def gaps(
    public: Sequence[CellResult], sealed: Sequence[CellResult], resamples: int = RESAMPLES, seed: int = 0
) -> list[Gap]:
    """The gap of every scorer whose score is over all tasks of both kinds, by track and from the best on public down.

    Args:
        public: results on public tasks, of one version of each scorer.
        sealed: results on sealed tasks, graded.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
    """
    found = []
    apart = {(board.track, board.version): board for board in boards(sealed)}
    for board in boards(public):
        other = apart.get((board.track, board.version))
        if other is not None:
            found += _of_track(board, other, resamples, seed)
    return sorted(found, key=lambda gap: (gap.track, -gap.public, gap.scorer))


def _of_track(public: Board, sealed: Board, resamples: int, seed: int) -> list[Gap]:
    known = {row.key: row for row in sealed.rows}
    of_public, of_sealed = public.draws(resamples, seed), sealed.draws(resamples, seed + 1)
    found = []
    for row in public.rows:
        other = known.get(row.key)
        if other is None or not (_is_whole(row, public) and _is_whole(other, sealed)):
            continue
        one, two = of_public[row.key], of_sealed[row.key]
        score, apart = row.score or 0.0, other.score or 0.0
        found.append(
            Gap(
                track=public.track,
                scorer=row.key[0],
                role=row.role,
                public=score,
                public_interval=None if one is None else interval(one),
                public_tasks=len(row.counted),
                sealed=apart,
                sealed_interval=None if two is None else interval(two),
                sealed_tasks=len(other.counted),
                gap=score - apart,
                gap_interval=None if one is None or two is None else interval(one - two),
            )
        )
    return found


def _is_whole(row: Row, board: Board) -> bool:
    return len(row.counted) == len(board.asked)
