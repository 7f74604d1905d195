"""A sealed task with companions: what is published holds the networks, and nothing that tells which is which."""

from pathlib import Path

import pytest
from rival_family import HYPOTHESES, RIVALS
from tests.sealing.conftest import SECRET

from peabench import tracks
from peabench.catalogue import is_sealed
from peabench.question_files import read_questions
from peabench.sealing import draw_lots, open_truth, seal
from peabench.sealing.halves import QUESTIONS_SEED
from peabench.sealing.truth import verify_truth
from peabench.tasks import load_task


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Public and private."""
    folder = tmp_path_factory.mktemp("sealed")
    public, private = folder / "public", folder / "private"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peabench.sealing.lots.families", lambda: {"hand": RIVALS})
        lots = draw_lots(SECRET, "sealed-rivals", ["hand/rivals-xs"], 1)
        seal(SECRET, lots, public, private, lambda name, share: None)
    return public, private


def test_what_is_published_answers_and_the_truth_grades(halves: tuple[Path, Path]) -> None:
    public, private = halves
    (truth,) = open_truth(private).values()
    published = load_task(public / truth.folder.name)
    assert is_sealed(published.folder)
    assert published.record.companions == ()
    for name in ("algorithms", "universality"):
        track = tracks.get(name)
        question = read_questions(published, track, QUESTIONS_SEED)["0"]
        answer = track.references[0].answer(question, truth, [])
        assert track.grade(truth, 0, question, answer)["score"] == 1


def test_no_file_that_is_published_speaks_of_companions_or_names_a_hypothesis(halves: tuple[Path, Path]) -> None:
    files = [path for path in halves[0].rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert names == {
        "suite.json",
        "task.json",
        "model.safetensors",
        *(f"{track}.{ending}" for track in ("algorithms", "universality") for ending in ("json", "safetensors")),
    }
    for path in files:
        content = path.read_bytes()
        for word in (*HYPOTHESES, "companions", "holds"):
            assert word.encode() not in content, (path, word)


def test_the_revealed_truth_is_held_against_what_was_published(halves: tuple[Path, Path]) -> None:
    public, private = halves
    (problem,) = verify_truth(private, str(public)).values()
    assert problem is None
