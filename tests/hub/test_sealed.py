"""A sealed suite on the Hub: its published half goes up, comes down, and nothing of its truth with it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from loopback_hub import LoopbackHub
from tests.sealing.conftest import Sealed, make
from typer.testing import CliRunner

from peabench.catalogue import bundled_tasks, is_sealed
from peabench.cli.app import build_app
from peabench.cli.certify import _chosen
from peabench.errors import PeabenchError
from peabench.hub import prepare, publish
from peabench.sealing import verify_truth
from peabench.suites import difference, get_suite, tasks_of

REPO = "peas/sealed"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return make(tmp_path_factory.mktemp("sealed"), ["borrowed/tree-xs"], 2)


@pytest.fixture
def half(made: Sealed, tmp_path: Path) -> Path:
    """A copy of the published half that a test may change."""
    return shutil.copytree(made.public, tmp_path / "public")


def command(*arguments: str) -> str:
    """What a command that must succeed prints, on both channels."""
    done = CliRunner().invoke(build_app(), list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_it_is_published_downloaded_and_verified_by_command(hub: LoopbackHub, made: Sealed) -> None:
    assert "the suite sealed-test version 1" in command("publish", str(made.public), "--repo", REPO)
    assert hub.requests == []
    command("publish", str(made.public), "--repo", REPO, "--yes")
    files = hub.repositories["models", REPO].files
    assert json.loads(files["suite.json"])["commitments"] == made.suite.commitments
    for lot in made.lots:
        page = files[f"{lot.id}/README.md"].decode()
        assert "Its truth is withheld" in page
        assert made.suite.commitments[lot.id] in page
    assert "The truth of these tasks is withheld" in files["README.md"].decode()
    assert ModelCard(files["README.md"].decode()).data.to_dict()["library_name"] == "peabench"
    told = json.loads(command("download", "--suite", "sealed-test", "--repo", REPO, "--json"))
    assert told["fetched"] == sorted(lot.id for lot in made.lots)
    suite = get_suite("sealed-test")
    assert suite.commitments == made.suite.commitments
    for task in tasks_of(suite):
        assert is_sealed(task.folder)
        assert difference(suite, task) is None
    chosen, _ = _chosen([], every=True, suite=None)
    assert {task.id for task in chosen} == {task.id for task in bundled_tasks()}  # what is sealed cannot be certified
    assert set(verify_truth(made.private, "sealed-test").values()) == {None}


def test_nothing_of_the_truth_goes_up(hub: LoopbackHub, made: Sealed) -> None:
    publish(prepare(made.public), REPO)
    files = hub.repositories["models", REPO].files
    everything = b"".join(files.values())
    names = {name.rpartition("/")[2] for name in files}
    tracks = {f"{track}.{ending}" for track in ("circuits", "variables") for ending in ("json", "safetensors")}
    assert names == {"README.md", "manifest.json", "suite.json", "task.json", "model.safetensors", *tracks}
    for lot in made.lots:
        for name in ("nonce", "mechanism.json", "mechanism.safetensors", "certificate.json"):
            assert (made.private / lot.name / name).read_bytes().strip() not in everything
        assert json.loads((made.private / lot.name / "task.json").read_text())["salt"].encode() not in everything


def test_the_half_that_is_kept_is_never_published(made: Sealed) -> None:
    with pytest.raises(PeabenchError, match="is no task whose truth is sealed; publish the half"):
        prepare(made.private)


def _reveal(made: Sealed, folder: Path) -> None:
    shutil.copy(made.private / folder.name / "mechanism.json", folder)


def _add(name: str) -> Callable[[Sealed, Path], object]:
    return lambda made, folder: shutil.copy(made.private / folder.name / "certificate.json", folder / name)


def _tell(made: Sealed, folder: Path) -> None:
    shutil.copy(made.private / folder.name / "task.json", folder)


def _change(made: Sealed, folder: Path) -> None:
    questions = folder / "questions" / "circuits.json"
    questions.write_bytes(questions.read_bytes() + b" ")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_reveal, "is no task whose truth is sealed"),
        (_add("certificate.json"), r"certificate\.json is no file of a task"),
        (_add("../lots.json"), r"lots\.json is no file of a task"),
        (_add("questions/.nonce"), r"\.nonce is no file of a task"),
        (_tell, r"task\.json tells more than is published of a sealed task"),
        (_change, "is not the task that suite sealed-test version 1 froze"),
    ],
)
def test_a_half_that_is_not_as_it_was_sealed_is_refused(
    half: Path, made: Sealed, change: Callable[[Sealed, Path], object], complaint: str
) -> None:
    change(made, half / made.lots[0].name)
    with pytest.raises(PeabenchError, match=complaint) as caught:
        prepare(half)
    assert "\n" not in str(caught.value)


def test_it_goes_out_under_its_own_name_alone(made: Sealed) -> None:
    assert prepare(made.public, "sealed-test", 1).suite.model_dump() == made.suite.model_dump()
    for given in (("full", 1), ("sealed-test", 2)):
        with pytest.raises(PeabenchError, match="is the sealed suite sealed-test, version 1, and is published as that"):
            prepare(made.public, *given)
