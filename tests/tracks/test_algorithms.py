"""The track `algorithms`: what it asks, what it grades, and how it is not gamed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rival_networks import FORMULAS, HOLDING, claim, mechanism, model, save_rivals
from sklearn.metrics import average_precision_score

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.grading import grade_cell
from peabench.mechanism import AlgorithmClaim, Hypothesis, neutral
from peabench.plain import plain
from peabench.questions import made_questions
from peabench.regauging import save_regauged
from peabench.results import CellKey
from peabench.tasks import Task, load_task
from peabench.tracks.algorithms import TRACK, AlgorithmAnswer, AlgorithmQuestion, HypothesisPrior, Oracle, holding
from peabench.tracks.candidates import shown

COUNT = len(FORMULAS)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("rivals"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A network of which three hypotheses hold."""
    return save_rivals(tmp_path_factory.mktemp("expanded"), "expanded", companions={})


@pytest.fixture(scope="module")
def question(task: Task) -> AlgorithmQuestion:
    (found,) = TRACK.questions(task, 0)
    return found


def score(task: Task, question: AlgorithmQuestion, scores: torch.Tensor) -> float:
    return TRACK.grade(task, 0, question, AlgorithmAnswer(scores))["score"]


def test_the_truth_earns_1(task: Task, other: Task, question: AlgorithmQuestion) -> None:
    assert TRACK.grade(task, 0, question, Oracle().answer(question, task, []))["score"] == 1
    (several,) = TRACK.questions(other, 0)
    assert int(holding(other, several).sum()) == len(HOLDING["expanded"])
    metrics = TRACK.grade(other, 0, several, Oracle().answer(several, other, []))
    assert metrics == {"score": 1, "average_precision": 1, "auroc": 1, "top": 1}


def test_the_same_score_for_all_hypotheses_earns_0(task: Task, other: Task, question: AlgorithmQuestion) -> None:
    for value in (0.0, 0.3, -1e30):
        metrics = TRACK.grade(task, 0, question, AlgorithmAnswer(torch.full((COUNT,), value)))
        assert metrics["score"] == 0
        assert metrics["auroc"] == pytest.approx(0.5)
        assert metrics["top"] == pytest.approx(1 / COUNT)
    (several,) = TRACK.questions(other, 0)
    assert score(other, several, torch.ones(COUNT)) == 0


def test_random_scores_earn_0_on_average(other: Task) -> None:
    (question,) = TRACK.questions(other, 0)
    draws = torch.rand(100, COUNT, generator=torch.Generator().manual_seed(0))
    found = torch.tensor([score(other, question, scores) for scores in draws])
    assert abs(float(found.mean())) < 4 * float(found.std()) / 10


def test_the_precision_is_that_of_scikit_learn(other: Task) -> None:
    (question,) = TRACK.questions(other, 0)
    scores = torch.randn(COUNT, generator=torch.Generator().manual_seed(1))
    metrics = TRACK.grade(other, 0, question, AlgorithmAnswer(scores))
    expected = average_precision_score(holding(other, question).numpy(), scores.numpy())
    assert metrics["average_precision"] == pytest.approx(expected)


def test_only_the_order_of_the_scores_counts(task: Task, question: AlgorithmQuestion) -> None:
    scores = torch.randn(COUNT, generator=torch.Generator().manual_seed(2))
    assert score(task, question, scores) == score(task, question, torch.exp(3 * scores) - 7)
    assert score(task, question, -holding(task, question).float()) < 0


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (AlgorithmAnswer(torch.full((COUNT,), torch.nan)), "NaN or infinity"),
        (AlgorithmAnswer(torch.full((COUNT,), torch.inf)), "NaN or infinity"),
        (AlgorithmAnswer(torch.zeros(COUNT - 1)), f"one real number for each of the {COUNT} hypotheses"),
        (AlgorithmAnswer(torch.zeros(COUNT, 1)), f"one real number for each of the {COUNT} hypotheses"),
        (AlgorithmAnswer(torch.zeros(COUNT, dtype=torch.complex64)), "real numbers in 'scores', got torch.complex64"),
        (AlgorithmAnswer([0.0] * COUNT), "scores in a tensor, got a list"),  # type: ignore[arg-type]
        (AlgorithmAnswer(np.zeros(COUNT)), "scores in a tensor, got a ndarray"),  # type: ignore[arg-type]
        (AlgorithmAnswer(torch.zeros(COUNT).to_sparse()), "dense tensor in 'scores'"),
        (torch.zeros(COUNT), "Expected an AlgorithmAnswer, got a Tensor"),
        (None, "Expected an AlgorithmAnswer, got a NoneType"),
    ],
)
def test_what_is_no_answer_is_refused(task: Task, question: AlgorithmQuestion, answer: Any, complaint: str) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        TRACK.grade(task, 0, question, answer)


def test_a_question_says_what_is_claimed_and_not_what_holds(task: Task, question: AlgorithmQuestion) -> None:
    text = repr(question.hypotheses)
    for word in ("holds", "factored", "expanded", task.record.id, "It is", "of factored"):
        assert word not in text
    models = [candidate.causal_model for candidate in question.hypotheses]
    assert sorted(map(str, models)) == sorted(str(neutral(model(name))) for name in FORMULAS)
    assert {name for found in models if found for name in found.inner} == {"v0", "v1"}
    assert len(question.base) == len(question.source) == task.record.examples


def test_neutral_names_leave_what_is_computed(task: Task, question: AlgorithmQuestion) -> None:
    rows = task.record.domain.all()
    for name in FORMULAS:
        before, after = model(name), neutral(model(name))
        values = before.run(before.read_inputs(rows)), after.run(after.read_inputs(rows))
        for old, new in zip(before.kinds, after.kinds, strict=True):
            assert torch.equal(values[0][old], values[1][new])


def test_no_place_in_the_order_is_better_than_another(task: Task) -> None:
    """Neither the order of the mechanism nor that of the question says what holds."""
    places = [int(holding(task, TRACK.questions(task, seed)[0]).nonzero()) for seed in range(200)]
    counts = np.bincount(places, minlength=COUNT)
    assert counts.min() > 5
    assert counts.max() < 50


def test_the_order_cannot_be_drawn_again_without_the_whole_record(tmp_path: Path, task: Task) -> None:
    salted = save_rivals(tmp_path / "salted")
    record = salted.record.model_copy(update={"salt": "00ff"})
    (salted.folder / "task.json").write_text(record.model_dump_json())
    again = load_task(salted.folder)
    orders = [[c.causal_model for c in TRACK.questions(some, 0)[0].hypotheses] for some in (task, again)]
    assert orders[0] != orders[1]


def test_what_needs_no_network_earns_nothing_beyond_the_twin(task: Task) -> None:
    """The same answer on the trained and on the untrained network is no insight into either."""
    key = CellKey(
        track="algorithms",
        track_version=TRACK.version,
        scorer="prior",
        scorer_version="1",
        source_hash="",
        task=task.record.id,
        content_hash="",
        others_hash="",
        seed=0,
        device="cpu",
    )
    questions = made_questions(TRACK, task, task.record.id, 0)
    assert list(questions) == ["0", "0.twin"]
    assert questions["0"].hypotheses == questions["0.twin"].hypotheses
    assert not torch.equal(questions["0"].network.w_embed, questions["0.twin"].network.w_embed)
    lengths = torch.tensor([-float(len(str(c))) for c in questions["0"].hypotheses])
    answers = {name: plain(AlgorithmAnswer(lengths)) for name in questions}
    (metrics,) = grade_cell(key, task, answers, questions)
    assert metrics["selectivity"] == 0
    oracle = {
        "0": plain(Oracle().answer(questions["0"], task, [])),
        "0.twin": plain(AlgorithmAnswer(torch.ones(COUNT))),
    }
    (metrics,) = grade_cell(key, task, oracle, questions)
    assert metrics["selectivity"] == 1


def test_the_prior_is_not_learnt_from_the_same_hypotheses(task: Task, other: Task, question: AlgorithmQuestion) -> None:
    """Of two networks made for two of the same hypotheses, one would tell what does not hold of the other."""
    assert (HypothesisPrior().answer(question, task, [other]).scores == 0).all()
    assert (HypothesisPrior().answer(question, task, []).scores == 0).all()


def test_the_prior_knows_the_same_hypotheses_about_other_columns(
    tmp_path: Path, task: Task, question: AlgorithmQuestion
) -> None:
    """Tasks draw which columns a formula is about: read off column 3 in place of 0, it is the same formula."""
    moved = save_rivals(tmp_path / "moved", companions={})
    document = json.loads((moved.folder / "mechanism.json").read_text())
    models = [document["causal_model"], *(h["causal_model"] for h in document["algorithm"]["hypotheses"])]
    for variable in (variable for some in models for variable in some["variables"]):
        variable["columns"] = [{0: 3}.get(column, column) for column in variable["columns"]]
    (moved.folder / "mechanism.json").write_text(json.dumps(document))
    again = load_task(moved.folder)
    assert not any(c in question.hypotheses for c in TRACK.questions(again, 0)[0].hypotheses)
    short = frequency_task(tmp_path / "short", "h1", {f"h{n}": tuple(range(n)) for n in (1, 2, 3, 4)})
    alone, beside = (HypothesisPrior().answer(question, task, others).scores for others in ([short], [short, again]))
    assert (alone != 0).any()
    assert torch.equal(alone, beside)


def frequency_task(folder: Path, truth: str, sets: dict[str, tuple[int, ...]]) -> Task:
    """A task whose hypotheses are sets of frequencies."""
    task = save_rivals(folder, companions={})
    hypotheses = tuple(
        Hypothesis(
            name=name, kind="frequencies", description="", holds=name == truth, level="algorithm", frequencies=numbers
        )
        for name, numbers in sets.items()
    )
    mechanism("factored").model_copy(update={"algorithm": AlgorithmClaim(hypotheses=hypotheses)}).save(folder)
    return task


def test_the_prior_learns_that_what_is_short_holds(tmp_path: Path, task: Task, question: AlgorithmQuestion) -> None:
    others = [
        frequency_task(tmp_path / str(i), "h1", {f"h{n}": tuple(range(10 * i, 10 * i + n)) for n in (1, 2, 3, 4)})
        for i in range(3)
    ]
    scores = HypothesisPrior().answer(question, task, others).scores
    lengths = torch.tensor([float(len(c.model_dump_json(exclude_none=True))) for c in question.hypotheses])
    assert int(scores.argmax()) == int(lengths.argmin())


def test_the_prior_learns_that_the_truth_is_in_the_middle_of_its_rivals(tmp_path: Path) -> None:
    """Each rival differs from the truth in one frequency, and from the others in two."""

    def sets(at: int) -> dict[str, tuple[int, ...]]:
        truth = (at, at + 1, at + 2)
        rivals = {f"r{i}": tuple(sorted((set(truth) - {at + i % 3}) | {at + 3 + i})) for i in range(6)}
        return {"truth": truth, **rivals}

    tasks = [frequency_task(tmp_path / str(at), "truth", sets(20 * at)) for at in range(4)]
    (question,) = TRACK.questions(tasks[0], 0)
    assert score(tasks[0], question, HypothesisPrior().answer(question, tasks[0], tasks[1:]).scores) == 1


def test_no_gauge_changes_a_grade(tmp_path: Path, task: Task, question: AlgorithmQuestion) -> None:
    regauged = save_regauged(tmp_path, task, task.record, torch.Generator().manual_seed(5))
    (again,) = TRACK.questions(regauged, 0)
    assert again.hypotheses == question.hypotheses
    assert not torch.equal(*(some.network.state_dict()["w_embed"] for some in (again, question)))
    scores = torch.randn(COUNT, generator=torch.Generator().manual_seed(3))
    assert score(regauged, again, scores) == score(task, question, scores)


def test_each_level_of_abstraction_is_a_question_of_its_own(tmp_path: Path) -> None:
    task = save_rivals(tmp_path, companions={})
    sets = {"low": (1, 2), "high": (3, 5), "mixed": (1, 5)}
    below = tuple(
        Hypothesis(
            name=name,
            kind="frequencies",
            description="",
            holds=name == "low",
            level="implementation",
            frequencies=numbers,
            form="clock",
        )
        for name, numbers in sets.items()
    )
    both = AlgorithmClaim(hypotheses=(*claim("factored").hypotheses, *below))
    mechanism("factored").model_copy(update={"algorithm": both}).save(tmp_path)
    questions = made_questions(TRACK, task, task.record.id, 0)
    assert list(questions) == ["0", "0.twin", "1"]
    assert [questions[name].level for name in ("0", "1")] == ["algorithm", "implementation"]
    assert {(c.form, c.frequencies) for c in questions["1"].hypotheses} == {("clock", s) for s in sets.values()}
    assert shown(below[0]).causal_model is None


def test_a_task_without_rivals_has_no_question(tmp_path: Path) -> None:
    task = save_rivals(tmp_path, companions={})
    alone = AlgorithmClaim(hypotheses=claim("factored").hypotheses[:1])
    mechanism("factored").model_copy(update={"algorithm": alone}).save(tmp_path)
    with pytest.raises(PeabenchError, match="has no rival hypotheses; take `algorithms` out of its tracks"):
        TRACK.questions(task, 0)
