"""Making tasks with companions: networks one by one, each in its folder; a task takes its place only as a whole."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks import with_companions
from peabench_tasks.specification import OWN
from peabench_tasks.ways.specification import Member
from peabench_tasks.with_companions import DRAFTS, RANDOM_INIT, folder_of, make, one_by_one, record_of

NETWORK = ResidualMLPConfig(n_inputs=2, d_model=4, n_blocks=1, n_units=1, d_hidden=2)
MEMBERS = [Member(name, 0, None, None, seed) for seed, name in enumerate((OWN, "n1", "n2"))]


@dataclass(frozen=True)
class Named:
    family: str = "toy"
    variant: str = "plain"
    size: str = "xs"
    seed: int = 3
    name: str = "plain-xs-3"


@pytest.fixture
def certified(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that pass for certified."""
    folders: list[Path] = []
    monkeypatch.setattr(with_companions, "certified_folder", lambda folder: folder in folders)
    return folders


def test_networks_are_made_one_by_one_the_own_last_and_certified_ones_are_kept(certified: list[Path]) -> None:
    begun: list[tuple[str, int]] = []

    def begin(member: Member, folder: Path, start: int) -> str | None:
        assert folder == folder_of(member, Path("draft"))
        begun.append((member.name, start))
        return None if member.name == OWN or start == 2 else "a rival holds"

    assert one_by_one("task", MEMBERS, Path("draft"), 3, begin) == []
    assert begun == [("n1", 0), ("n1", 1), ("n1", 2), ("n2", 0), ("n2", 1), ("n2", 2), (OWN, 0)]
    begun.clear()
    certified += [folder_of(member, Path("draft")) for member in MEMBERS[:2]]
    assert one_by_one("task", MEMBERS, Path("draft"), 2, begin) == ["task, n2: a rival holds"]
    assert begun == [("n2", 0), ("n2", 1)]


def test_after_one_that_fails_no_other_is_made(certified: list[Path]) -> None:
    begun: list[str] = []

    def begin(member: Member, *_: object) -> str:
        begun.append(member.name)
        return "no"

    problems = one_by_one("task", MEMBERS, Path("draft"), 2, begin)
    assert problems == ["task, n1: no"]
    assert begun == ["n1", "n1"]


@pytest.mark.parametrize("problems", [[], ["n1: a rival holds"]])
def test_a_task_takes_its_place_as_a_whole_or_not_at_all(problems: list[str], tmp_path: Path) -> None:
    def networks(specification: Named, draft: Path, seed: int) -> list[str]:
        draft.mkdir(parents=True)
        (draft / "new").touch()
        return problems

    (tmp_path / "plain-xs-3").mkdir()
    (tmp_path / "plain-xs-3" / "old").touch()
    assert make(Named(), tmp_path, 0, networks) == (1, problems)
    assert [path.name for path in (tmp_path / "plain-xs-3").iterdir()] == (["old"] if problems else ["new"])
    assert (tmp_path / DRAFTS / "plain-xs-3").exists() == bool(problems)


def test_a_companion_is_in_no_track_and_has_a_twin_of_its_own() -> None:
    own, beside = (
        record_of(
            Named(),
            MEMBERS,
            member,
            provenance="planted",
            tracks=("algorithms",),
            network=NETWORK,
            domain=ProductDomain(sizes=(2, 2)),
            difficulty="",
            description="",
        )
        for member in (None, MEMBERS[2])
    )
    assert (own.id, own.tracks, own.companions) == ("toy/plain-xs-3", ("algorithms",), ("n1", "n2"))
    assert (beside.id, beside.tracks, beside.companions) == ("toy/plain_n2-xs-3", (), ())
    assert [twin.seed for record in (own, beside) for twin in record.twins] == [RANDOM_INIT, RANDOM_INIT + 2]
