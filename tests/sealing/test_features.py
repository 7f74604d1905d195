"""A sealed task that is asked about features alone: activations are published, and no weights."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.sealing.conftest import Sealed, make
from torch import Tensor

from peabench import tracks
from peabench.answering import ask_one
from peabench.errors import PeabenchError
from peabench.hub import prepare
from peabench.question_files import holds_network, read_questions
from peabench.sealing import verify_truth
from peabench.sealing.halves import QUESTIONS_SEED, write_private_half
from peabench.tasks import Task
from peabench.tracks.feature_questions import FeatureQuestion, make_question
from peabench.tracks.features import TRACK, FeatureAnswer
from peabench_baselines.features.pca import PCA

EXPECTED = {"task.json", "questions/features.json", "questions/features.safetensors"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return make(tmp_path_factory.mktemp("sealed"), ["borrowed_features/exclusive-xs"], 1)


def halves(made: Sealed) -> tuple[Task, Task]:
    """The task as it is published, and as it is kept."""
    return made.published()[0], made.revealed()[0]


def asked(task: Task) -> dict[str, FeatureQuestion]:
    return read_questions(task, TRACK, QUESTIONS_SEED)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def explained(known: Tensor, told: Tensor) -> float:
    """Share of the variance of some columns that is linear in others."""
    known, told = (side.double() - side.double().mean(0) for side in (known, told))
    left = told - known @ torch.linalg.lstsq(known, told).solution
    return 1 - float(left.square().sum() / told.square().sum())


def embedding_rows_found(folder: Path, task: Task) -> int:
    """How many rows of the network's embedding stand in a folder's files."""
    content = b"".join((folder / name).read_bytes() for name in files(folder))
    return sum(row.numpy().tobytes() in content for row in task.network().state_dict()["w_embed"] if bool(row.any()))


def test_its_questions_are_published_and_its_weights_are_not(made: Sealed) -> None:
    public, private = halves(made)
    assert files(public.folder) == EXPECTED
    assert embedding_rows_found(public.folder, private) == 0
    with pytest.raises(PeabenchError, match=r"The network of sealed_test/task-xs-0 is withheld with its truth"):
        public.network()


def test_weights_would_give_the_rows_of_the_embedding_away(made: Sealed, tmp_path: Path) -> None:
    """The attack works on a half that leaks."""
    public, private = halves(made)
    leaky = shutil.copytree(public.folder, tmp_path / "leaky")
    shutil.copy(private.folder / "model.safetensors", leaky)
    assert embedding_rows_found(leaky, private) > 16


def test_it_is_answered_without_weights_and_graded_with_the_truth(made: Sealed) -> None:
    public, private = halves(made)
    questions = asked(public)
    assert list(questions) == ["0", "0.twin"]
    answer, _ = ask_one(questions["0"], 0, "cpu", PCA().score)
    assert isinstance(answer, FeatureAnswer)
    assert -1 <= TRACK.grade(private, 0, questions["0"], answer)["score"] < 0.5
    oracle = TRACK.references[0].answer(questions["0"], private, [])
    assert TRACK.grade(private, 0, questions["0"], oracle)["score"] == 1


def test_the_twin_does_not_tell_the_inputs(made: Sealed) -> None:
    """Anyone can draw the twin. Of the same inputs its activations would tell the network's own, or nearly so."""
    public, private = halves(made)
    own, twin = asked(public).values()
    drawn = public.twin("random_init")
    assert drawn is not None
    assert explained(twin.evaluation, own.evaluation) < 0.05
    same = make_question(private, own.site, own.draw, drawn)
    assert explained(same.evaluation, own.evaluation) > 0.5


def test_its_truth_is_verified_once_it_is_revealed(made: Sealed) -> None:
    assert set(verify_truth(made.private, made.public).values()) == {None}


def test_a_half_with_weights_is_not_published_on_the_hub(made: Sealed, tmp_path: Path) -> None:
    half = shutil.copytree(made.public, tmp_path / "public")
    assert prepare(half).suite.name == "sealed-test"
    name = made.lots[0].name
    shutil.copy(made.private / name / "model.safetensors", half / name)
    with pytest.raises(PeabenchError, match=r"model\.safetensors is no file of a task"):
        prepare(half)


def test_a_task_of_both_kinds_of_tracks_is_refused(made: Sealed, tmp_path: Path) -> None:
    _, private = halves(made)
    mixed = replace(private, record=private.record.model_copy(update={"tracks": ("circuits", "features")}))
    with pytest.raises(PeabenchError, match="asks features, whose questions withhold the network, and another track"):
        write_private_half(mixed, made.lots[0], tmp_path)


def test_whether_questions_hold_the_network_is_read_off_their_type() -> None:
    assert {name: holds_network(tracks.get(name)) for name in ("circuits", "features", "variables")} == {
        "circuits": True,
        "features": False,
        "variables": True,
    }
