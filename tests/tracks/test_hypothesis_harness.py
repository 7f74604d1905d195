"""The tracks `algorithms` and `universality` in the harness: files of questions, cost, the contract of a scorer."""

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from rival_networks import save_rivals
from typer.testing import CliRunner

from peabench import Scorer
from peabench.answering import ask_one
from peabench.catalogue import content_hash, installed_tasks, select, summarise
from peabench.certification.checks import Check, NullCheck, judged
from peabench.cli.app import build_app
from peabench.conformance import assert_conforms
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.hypothesis_rows import hypothesis_rows, network_rows
from peabench.question_files import read_questions, write_questions
from peabench.questions import made_questions
from peabench.sealing.commitments import commitment, write_nonce
from peabench.tasks import CERTIFICATE_FILE, Task, load_task, save_certificate
from peabench.tracks.algorithms import TRACK as ALGORITHMS
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench.tracks.track import Track
from peabench.tracks.universality import TRACK as UNIVERSALITY
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion
from peabench_leaderboard.site.slugs import slug
from peabench_leaderboard.site.task_files import task_files
from peabench_tasks.card import card


class Coins(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """Random scores."""

    name: ClassVar[str] = "coins"
    track: ClassVar[str] = "algorithms"
    reference: ClassVar[str] = "a test"
    gauge_invariant: ClassVar[bool] = True

    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        return AlgorithmAnswer(torch.rand(len(question.hypotheses), generator=question.generator))


class Surprised(Coins):
    """NaN."""

    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        return AlgorithmAnswer(torch.full((len(question.hypotheses),), torch.nan))


class Outputs(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """How often two networks say the same."""

    name: ClassVar[str] = "outputs"
    track: ClassVar[str] = "universality"
    reference: ClassVar[str] = "a test"
    gauge_invariant: ClassVar[bool] = True

    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        said = torch.stack([network(question.inputs)[:, -1, 0] > 0 for network in question.networks])
        one, other = question.pairs.T
        return UniversalityAnswer((said[one] == said[other]).float().mean(1))


class Norms(Outputs):
    """How near two networks' weights are in norm, which any gauge changes."""

    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        norms = torch.tensor([float(network.state_dict()["block0.w_in"].norm()) for network in question.networks])
        one, other = question.pairs.T
        return UniversalityAnswer(-(norms[one] - norms[other]).abs())


class Vandal(Outputs):
    """Changes the last of the networks."""

    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        with torch.no_grad():
            question.networks[-1].b_output.add_(1)
        return super().score(question)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("rivals"))


@pytest.mark.parametrize("track", [ALGORITHMS, UNIVERSALITY])
def test_questions_are_the_same_once_read_from_files(task: Task, track: Track[Any, Any], tmp_path: Path) -> None:
    """A sealed task's folder has its own network, no companion and no truth."""
    for name in ("task.json", "model.safetensors"):
        shutil.copy(task.folder / name, tmp_path / name)
    made = made_questions(track, task, task.record.id, 7)
    write_questions(tmp_path, track, 7, made)
    public = load_task(tmp_path)
    read = read_questions(public, track, 7)
    assert list(read) == list(made)
    answer = track.references[0].answer(read["0"], task, [])
    assert track.grade(task, 0, read["0"], answer)["score"] == 1
    rows = task.record.domain.all()
    for field in ("networks", "hypotheses", "pairs", "base", "source", "inputs", "level", "draw", "domain"):
        for one, other in zip(made.values(), read.values(), strict=True):
            ours: Any = getattr(one, field, None)
            theirs: Any = getattr(other, field, None)
            if field == "networks" and ours is not None:
                assert all(torch.equal(a(rows), b(rows)) for a, b in zip(ours, theirs, strict=True))
            elif isinstance(ours, torch.Tensor):
                assert torch.equal(ours, theirs)
            else:
                assert ours == theirs


def test_no_name_in_a_file_tells_networks_apart(task: Task, tmp_path: Path) -> None:
    shutil.copy(task.folder / "task.json", tmp_path / "task.json")
    write_questions(tmp_path, UNIVERSALITY, 7, made_questions(UNIVERSALITY, task, task.record.id, 7))
    document = json.loads((tmp_path / "questions" / "universality.json").read_text())
    networks = document["questions"]["0"]["networks"]
    texts = {json.dumps(network).replace(f"networks.{i}.", "networks.#.") for i, network in enumerate(networks)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda networks: networks.clear() or networks.append("model"), "expected a config and weights, got 'model'"),
        (lambda networks: networks[0]["config"].update(d_model=9), "expected 'w_embed' to be float32 \\[4, 9\\]"),
        (lambda networks: networks[1]["weights"].pop("w_embed"), "expected a tensor 'w_embed', got none"),
        (lambda networks: networks[0]["config"].update(kind="rnn"), "networks.0.config: "),
    ],
)
def test_damaged_networks_are_refused(task: Task, tmp_path: Path, change: Any, complaint: str) -> None:
    shutil.copy(task.folder / "task.json", tmp_path / "task.json")
    write_questions(tmp_path, UNIVERSALITY, 7, made_questions(UNIVERSALITY, task, task.record.id, 7))
    file = tmp_path / "questions" / "universality.json"
    document = json.loads(file.read_text())
    change(document["questions"]["0"]["networks"])
    file.write_text(json.dumps(document))
    with pytest.raises(PeabenchError, match=complaint):
        read_questions(load_task(tmp_path), UNIVERSALITY, 7)


def test_the_passes_of_all_networks_are_counted(task: Task) -> None:
    (question,) = UNIVERSALITY.questions(task, 0)
    _, cost = ask_one(question, 0, "cpu", Outputs().score)
    assert cost.forward_passes == pytest.approx(len(question.networks) * len(question.inputs))


def test_none_of_the_networks_may_be_changed(task: Task) -> None:
    (question,) = UNIVERSALITY.questions(task, 0)
    with pytest.raises(InvalidAnswer, match="changed the network's b_output"):
        ask_one(question, 0, "cpu", Vandal().score)


def test_scorers_of_both_tracks_can_keep_the_contract_and_break_it(task: Task) -> None:
    assert_conforms(Coins, [task.folder])
    assert_conforms(Outputs, [task.folder])
    with pytest.raises(AssertionError, match="Expected finite numbers in 'scores', got NaN"):
        assert_conforms(Surprised, [task.folder])
    with pytest.raises(AssertionError, match="network"):
        assert_conforms(Vandal, [task.folder])
    with pytest.raises(AssertionError, match="gauge"):
        assert_conforms(Norms, [task.folder])


def test_the_content_hash_covers_companions_and_not_what_is_written_about_them(tmp_path: Path) -> None:
    task = save_rivals(tmp_path)
    before = content_hash(task.folder)
    save_certificate(task.companions[0].folder, [])
    (task.companions[0].folder / "README.md").write_text("A card.\n")
    assert content_hash(task.folder) == before
    weights = task.companions[0].folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert content_hash(task.folder) != before


def test_a_commitment_binds_the_companions(tmp_path: Path) -> None:
    task = save_rivals(tmp_path)
    for part in (task, *task.companions):
        save_certificate(part.folder, [])
    write_nonce(task.folder)
    before = commitment(task.folder)
    assert before == commitment(task.folder)
    (task.companions[1].folder / CERTIFICATE_FILE).write_text("[ ]")
    assert commitment(task.folder) != before


def test_companions_are_no_tasks_of_their_own(task: Task) -> None:
    assert [companion.record.tracks for companion in task.companions] == [()] * 3
    assert task.record.model_dump()["companions"] == ("a", "b", "c")
    alone = task.companions[0].record.model_dump()
    assert "companions" not in alone


def recorded_rivals() -> list[Check]:
    """A certificate as the check of the rivals writes it."""
    null = NullCheck(description="a test", cases=1, errors=1)
    figures = {"factored wrong": 0.0, "expanded wrong": 0.25}
    return [judged("rivals", "a test", 0, 9, exhaustive=True, null=null, recorded=figures)]


def test_the_card_and_show_have_the_hypotheses_and_the_networks(tmp_path: Path) -> None:
    task = save_rivals(tmp_path)
    save_certificate(task.folder, recorded_rivals())
    text = card(task, recorded_rivals())
    assert "| factored | algorithm | `v = A ∨ C` | yes | 0.0% |" in text  # noqa: RUF001
    assert "| expanded | algorithm | `v = A ∧ B; w = B ∧ C` | no | 25.0% |" in text
    assert "| parity | algorithm | `v = A ⊕ C; w = A ∧ C` | no |  |" in text
    assert "| own | constructed | factored |" in text
    assert "| a | constructed | expanded, half, other-half |" in text
    shown = CliRunner().invoke(build_app(), ["show", str(task.folder)])
    assert shown.exit_code == 0
    assert "Hypotheses" in shown.output
    assert "Networks that are asked about together" in shown.output


def test_a_task_of_other_tracks_has_neither() -> None:
    task = load_task(select(installed_tasks(), ["boolean/tree-xs-0"])[0].folder)
    assert not hypothesis_rows(task.mechanism.algorithm, task.certificate)
    assert not network_rows(task)


def test_the_site_lists_the_files_of_companions(tmp_path: Path) -> None:
    task = save_rivals(tmp_path / "rivals-xs-0")
    files = task_files(summarise(task.folder))
    names = [file.name for file in files]
    assert names[:2] == ["mechanism.json", "mechanism.safetensors"]
    assert names[-1] == "companions/c/task.json"
    assert len(names) == 16
    assert len({file.folder for file in files}) == 1
    assert files[-1].address == f"files/{slug(task.record.id)}/companions/c/task.json"
