"""A sealed task with companions: what is published holds the networks, and nothing that tells which is which."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from audit_family import AUDITED
from audited_networks import TRIGGERS
from rival_family import HYPOTHESES, RIVALS
from tests.sealing.conftest import SECRET

from peabench import tracks
from peabench.catalogue import is_sealed
from peabench.certification import hypothesis_search
from peabench.question_files import read_questions
from peabench.registry import Family
from peabench.sealing import draw_lots, open_truth, seal
from peabench.sealing.halves import QUESTIONS_SEED
from peabench.sealing.truth import verify_truth
from peabench.tasks import load_task


@dataclass(frozen=True)
class Halves:
    """Of a family's sealed task."""

    public: Path
    private: Path
    tracks: tuple[str, ...]
    secrets: tuple[str, ...]
    """Words that nothing published holds."""


CASES: dict[str, tuple[Family, tuple[str, ...], tuple[str, ...]]] = {
    "rivals": (RIVALS, ("algorithms", "universality"), (*HYPOTHESES, "companions", "holds")),
    "audited": (AUDITED, ("audits",), (*TRIGGERS, "companions", "training", "cues", "defects", "backdoor")),
}


@pytest.fixture(scope="module", autouse=True)
def brief() -> Iterator[None]:
    """Rivals are searched for with so few steps that a certificate takes no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hypothesis_search, "FIRST_STEPS", 10)
        patch.setattr(hypothesis_search, "LAST_STEPS", 40)
        yield


@pytest.fixture(scope="module", params=CASES)
def halves(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Halves:
    family, asked, secrets = CASES[request.param]
    folder = tmp_path_factory.mktemp("sealed")
    public, private = folder / "public", folder / "private"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peabench.sealing.lots.families", lambda: {"hand": family})
        lots = draw_lots(SECRET, "sealed-sets", [f"hand/{request.param}-xs"], 1)
        seal(SECRET, lots, public, private, lambda name, share: None)
    return Halves(public, private, asked, secrets)


def test_what_is_published_answers_and_the_truth_grades(halves: Halves) -> None:
    (truth,) = open_truth(halves.private).values()
    published = load_task(halves.public / truth.folder.name)
    assert is_sealed(published.folder)
    assert published.record.companions == ()
    for name in halves.tracks:
        track = tracks.get(name)
        question = read_questions(published, track, QUESTIONS_SEED)["0"]
        answer = track.references[0].answer(question, truth, [])
        assert track.grade(truth, 0, question, answer)["score"] == 1


def test_no_file_that_is_published_names_a_companion_or_anything_of_the_truth(halves: Halves) -> None:
    files = [path for path in halves.public.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert names == {
        "suite.json",
        "task.json",
        "model.safetensors",
        *(f"{track}.{ending}" for track in halves.tracks for ending in ("json", "safetensors")),
    }
    for path in files:
        content = path.read_bytes()
        for word in halves.secrets:
            assert word.encode() not in content, (path, word)


def test_the_revealed_truth_is_held_against_what_was_published(halves: Halves) -> None:
    (problem,) = verify_truth(halves.private, str(halves.public)).values()
    assert problem is None
