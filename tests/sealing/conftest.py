"""A sealed suite that is made in seconds, as its tasks are borrowed and not trained."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from borrowed_family import borrowed, borrowed_features

from peabench.sealing import draw_lots, open_truth, seal
from peabench.sealing.lots import Lot
from peabench.suites import Suite
from peabench.tasks import Task, load_task

SECRET = b"a secret of thirty-two bytes....."


@dataclass(frozen=True)
class Sealed:
    """Both halves."""

    public: Path
    private: Path
    suite: Suite
    lots: list[Lot]

    def published(self) -> list[Task]:
        return [load_task(self.public / lot.name) for lot in self.lots]

    def revealed(self) -> list[Task]:
        truth = open_truth(self.private)
        return [truth[lot.id] for lot in self.lots]


def make(folder: Path, kinds: list[str], each: int, secret: bytes = SECRET) -> Sealed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "peabench.sealing.lots.families", lambda: {"borrowed": borrowed(), "borrowed_features": borrowed_features()}
        )
        lots = draw_lots(secret, "sealed-test", kinds, each)
        public, private = folder / "public", folder / "private"
        suite = seal(secret, lots, public, private, lambda name, share: None)
    return Sealed(public, private, suite, lots)


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """Four tasks of size s, of two variants."""
    kinds = [f"borrowed/{variant}-s" for variant in ("tree", "cancelling")]
    return make(tmp_path_factory.mktemp("sealed"), kinds, 2)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """Two tasks of size xs. Tests that change files copy it."""
    return make(tmp_path_factory.mktemp("tiny"), ["borrowed/tree-xs"], 2)
