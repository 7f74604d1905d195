"""The track `beliefs`: what it asks, what it grades, and how it is not gamed."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from believing_networks import COLUMNS, PROCESS, save_filter, save_parity
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from peabench.answering import ask_one
from peabench.belief_states import expected_outputs, moved, probabilities, read_at, swapped_outputs
from peabench.cost import UnshownInput
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.interventions import run_with_cache
from peabench.networks import Network
from peabench.networks.gauge import random_gauge
from peabench.question_files import read_questions, write_questions
from peabench.regauging import save_regauged
from peabench.tasks import Task
from peabench.tracks.belief_controls import best_control, token_features
from peabench.tracks.belief_points import held_out
from peabench.tracks.beliefs import TRACK, BeliefAnswer, BeliefQuestion, Oracle, certified


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_filter(tmp_path_factory.mktemp("filter"))


@pytest.fixture(scope="module")
def question(task: Task) -> BeliefQuestion:
    (found,) = TRACK.questions(task, 0)
    return found


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_parity(tmp_path_factory.mktemp("parity"))


def grade(task: Task, question: BeliefQuestion, answer: BeliefAnswer) -> dict[str, float]:
    return TRACK.grade(task, 0, question, answer)


def test_the_certified_read_out_earns_1(task: Task, parity: Task) -> None:
    for each in (task, parity):
        (question,) = TRACK.questions(each, 3)
        metrics = grade(each, question, Oracle().answer(question, each, []))
        assert metrics["score"] == 1
        assert metrics["r2"] == metrics["certified_r2"] > 0.999
        assert metrics["moved"] == metrics["certified_moved"] > 0.99


def test_a_question_shows_what_can_occur_and_the_exact_beliefs(task: Task, question: BeliefQuestion) -> None:
    words = {tuple(row) for row in PROCESS.words(7).tokens.tolist()}
    assert {tuple(row) for row in question.inputs.tolist()} <= words
    assert torch.equal(question.states, PROCESS.beliefs(question.inputs))
    assert question.sites == ("resid.0@*", "resid.1@*", "resid.2@*")
    assert question.definition == PROCESS


def test_what_is_read_where_nobody_uses_it_earns_0(task: Task, question: BeliefQuestion) -> None:
    """The last layer holds the belief as well as the one before it, and swapping it there does nothing."""
    answer = replace(certified(task)[0], site="resid.2@*")
    metrics = grade(task, question, answer)
    assert metrics["r2"] > 0.999
    assert metrics["moved"] < 0.01
    assert metrics["score"] == 0


def test_a_tiny_column_along_what_decides_does_not_buy_a_swap(task: Task, question: BeliefQuestion) -> None:
    """The swap of all that is read would move the output, by what is read of the sum of a belief, which is always 1."""
    truth = certified(task)[0]
    decides = question.network.w_output.detach().diff(dim=1)
    idle = truth.matrix - truth.matrix.mean(1, keepdim=True)
    trick = BeliefAnswer("resid.2@*", idle + 0.01 * decides / decides.norm(), truth.offset + 0.2)
    run = run_with_cache(question.network, question.inputs)
    source = run.select(torch.arange(len(question.inputs)).roll(1))
    expected = expected_outputs(question.tracked, run.inputs, source.inputs)
    swapped = swapped_outputs(run, source, trick.site, trick.matrix)
    assert moved(swapped, probabilities(run.logits), expected) > 0.9
    metrics = grade(task, question, trick)
    assert metrics["r2"] > 0.99
    assert metrics["score"] == 0


def test_what_says_nothing_of_the_state_costs_nothing(task: Task, question: BeliefQuestion) -> None:
    truth = certified(task)[0]
    noise = torch.randn(16, 1, generator=torch.Generator().manual_seed(2)) * torch.ones(1, 5)
    metrics = grade(task, question, replace(truth, matrix=truth.matrix + noise, offset=truth.offset + 3))
    assert metrics["score"] == pytest.approx(1, abs=1e-4)
    assert metrics["moved"] == pytest.approx(metrics["certified_moved"], abs=1e-3)


def test_no_score_is_greater_than_what_the_swap_moves(parity: Task) -> None:
    (question,) = TRACK.questions(parity, 0)
    answer = certified(parity)[0]
    leaning = answer.matrix.clone()
    leaning[2] = 0.2
    metrics = grade(parity, question, replace(answer, matrix=leaning))
    assert metrics["score"] <= metrics["moved"] / metrics["certified_moved"] < 1


def test_a_copy_that_nobody_reads_earns_0(parity: Task) -> None:
    """Where the variable's own coordinate is copied to an idle one, R² is 1 along both, and one of them is causal."""
    (question,) = TRACK.questions(parity, 0)
    network = question.network
    embedding, written = network.get_parameter("w_embed"), network.get_parameter("block0.w_out")
    before = embedding.clone(), written.clone()
    with torch.no_grad():  # the coordinate of the last column, which nobody reads, takes a copy of a xor b
        embedding[COLUMNS - 1, COLUMNS - 1] = 0
        written[0, :, COLUMNS - 1] = 1.0
    answer = certified(parity)[0]
    copied = torch.zeros_like(answer.matrix)
    copied[COLUMNS - 1] = 0.5
    idle = grade(parity, question, BeliefAnswer("resid.1@0", copied, torch.zeros(1)))
    assert idle["r2"] == pytest.approx(1, abs=1e-6)
    assert idle["moved"] == 0
    assert idle["score"] == 0
    assert grade(parity, question, answer)["score"] == 1
    with torch.no_grad():
        embedding.copy_(before[0])
        written.copy_(before[1])


def test_a_swap_that_brings_more_than_the_state_is_no_better(parity: Task) -> None:
    """A read-out that also looks at c, and so carries it along, does not do what the truth says."""
    (question,) = TRACK.questions(parity, 0)
    answer = certified(parity)[0]
    leaning = answer.matrix.clone()
    leaning[2] = 0.5
    metrics = grade(parity, question, replace(answer, matrix=leaning))
    assert metrics["moved"] < metrics["certified_moved"]
    assert metrics["r2"] < 1


def test_what_tells_nothing_earns_0(task: Task, question: BeliefQuestion) -> None:
    mean = question.states.flatten(0, 1).mean(0)
    answer = BeliefAnswer("resid.1@*", torch.zeros(16, 5), mean)
    metrics = grade(task, question, answer)
    assert metrics["score"] == 0
    assert metrics["moved"] == pytest.approx(0, abs=1e-9)
    for seed in range(5):
        noise = torch.randn(16, 5, generator=torch.Generator().manual_seed(seed))
        assert grade(task, question, BeliefAnswer("resid.1@*", noise, mean))["score"] == 0


def test_the_controls_are_those_of_scikit_learn_on_all_that_can_occur(task: Task, question: BeliefQuestion) -> None:
    points = held_out(task, question)
    words = PROCESS.words(7).tokens
    assert {tuple(row) for row in points.population.tolist()} == {tuple(row) for row in words.tolist()}
    beginnings = {tuple(row[: end + 1]): (i, end) for i, row in enumerate(words.tolist()) for end in range(7)}
    rows, ends = torch.tensor(list(beginnings.values())).T
    twin = task.twin("random_init")
    assert twin is not None

    def features(inputs: torch.Tensor) -> list[torch.Tensor]:
        run = run_with_cache(twin, inputs)
        outputs = [PROCESS.next_tokens(PROCESS.beliefs(inputs)), question.network(inputs).softmax(-1).double()]
        tokens = token_features(inputs, (2,) * 7, everywhere=True)
        return [tokens, torch.cat([*outputs, question.network(inputs).double()], 2), read_at(twin, run, "resid.1@*")]

    exact, found = PROCESS.beliefs(words)[rows, ends].numpy(), []
    for everywhere, asked in zip(features(words), features(points.inputs), strict=True):
        fitted = LinearRegression().fit(everywhere[rows, ends].numpy(), exact)
        guess = fitted.predict(asked[points.fresh].numpy())
        found.append(r2_score(points.states.numpy(), guess, multioutput="variance_weighted"))
    assert best_control(task, question, points, "resid.1@*") == pytest.approx(max(found), abs=0.01)
    assert 0.1 < max(found) < 0.9


def test_controls_are_no_lower_where_a_question_shows_less(tmp_path: Path) -> None:
    controls = []
    for examples in (3, 24):
        task = save_filter(tmp_path / str(examples), examples=examples)
        (question,) = TRACK.questions(task, 0)
        controls.append(best_control(task, question, held_out(task, question), "resid.1@*"))
    assert controls[0] > controls[1] - 0.05


def test_what_the_best_control_reads_earns_0(task: Task, question: BeliefQuestion) -> None:
    """An affine function of the output, read where the output is, has at most the control's R²."""
    run = run_with_cache(question.network, question.inputs)
    rows = run.logits.flatten(0, 1).double()
    fitted = LinearRegression().fit(rows.numpy(), question.states.flatten(0, 1).numpy())
    matrix = question.network.w_output.detach().double() @ torch.from_numpy(fitted.coef_.T)
    metrics = grade(
        task, question, BeliefAnswer("resid.2@*", matrix.float(), torch.from_numpy(fitted.intercept_).float())
    )
    assert metrics["r2"] <= metrics["control"] + 1e-3
    assert metrics["score"] < 0.01


def test_held_out_histories_are_new_and_each_counts_once(task: Task, question: BeliefQuestion) -> None:
    points = held_out(task, question)

    def beginnings(rows: torch.Tensor, chosen: torch.Tensor) -> list[tuple[int, ...]]:
        return [tuple(rows[i, : end + 1].tolist()) for i, end in chosen.nonzero().tolist()]

    known = beginnings(question.inputs, torch.ones(question.inputs.shape, dtype=torch.bool))
    found = beginnings(points.inputs, points.fresh)
    assert len(found) == len(set(found)) > 64
    assert not set(found) & set(known)
    exact = PROCESS.beliefs(points.inputs)[points.fresh]
    assert torch.equal(points.states, exact)


def test_other_records_are_graded_on_other_inputs(task: Task, question: BeliefQuestion) -> None:
    salted = Task(task.folder, task.record.model_copy(update={"salt": "00ff"}))
    ours, theirs = held_out(task, question), held_out(salted, question)
    assert not torch.equal(ours.inputs, theirs.inputs)


def test_no_gauge_changes_a_grade(task: Task, question: BeliefQuestion, tmp_path: Path) -> None:
    regauged = save_regauged(tmp_path, task, task.record, torch.Generator().manual_seed(5))
    (again,) = TRACK.questions(regauged, 0)
    before = grade(task, question, certified(task)[0])
    after = grade(regauged, again, certified(regauged)[0])
    assert after == pytest.approx(before, abs=1e-3)
    assert grade(regauged, again, certified(task)[0])["score"] == 0


def test_questions_come_back_from_their_files(tmp_path: Path) -> None:
    for save in (save_filter, save_parity):
        task = save(tmp_path / save.__name__)
        (question,) = TRACK.questions(task, 0)
        write_questions(task.folder, TRACK, 0, {"0": question})
        again = read_questions(task, TRACK, 0)["0"]
        for field in fields(BeliefQuestion):
            ours, theirs = getattr(question, field.name), getattr(again, field.name)
            if field.name in ("inputs", "states"):
                assert torch.equal(ours, theirs)
            elif field.name not in ("network", "generator"):
                assert ours == theirs


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"site": "resid.9@*"}, "Expected a site of the question"),
        ({"site": "resid.1@3"}, "Expected a site of the question"),
        ({"site": None}, "Expected a site of the question"),
        ({"matrix": torch.zeros(5, 16)}, r"Expected a floating-point matrix \[16, 5\]"),
        ({"matrix": torch.full((16, 5), torch.nan)}, "finite numbers of at most"),
        ({"matrix": torch.zeros(16, 5, dtype=torch.long)}, "Expected a floating-point matrix"),
        ({"matrix": [[0.0]]}, r"got a list"),
        ({"matrix": torch.zeros(16, 5).to_sparse()}, "dense tensor in 'matrix'"),
        ({"matrix": torch.zeros(16, 5).to(torch.float8_e5m2)}, "real numbers in 'matrix', got torch.float8"),
        ({"offset": torch.zeros(5, device="meta")}, "got a tensor of the meta device"),
        ({"offset": torch.zeros(4)}, r"Expected a floating-point offset \[5\]"),
        ({"offset": torch.full((5,), torch.inf)}, "finite numbers of at most"),
    ],
)
def test_what_is_no_answer_is_refused(
    task: Task, question: BeliefQuestion, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        grade(task, question, replace(certified(task)[0], **changes))


def test_something_else_is_no_answer(task: Task, question: BeliefQuestion) -> None:
    with pytest.raises(InvalidAnswer, match="Expected a BeliefAnswer, got a Tensor"):
        TRACK.grade(task, 0, question, torch.zeros(5))  # type: ignore[arg-type]


def test_a_question_that_shows_everything_cannot_be_graded(tmp_path: Path) -> None:
    task = save_filter(tmp_path, examples=5000)
    (question,) = TRACK.questions(task, 0)
    with pytest.raises(PeabenchError, match="give its record fewer examples or longer inputs"):
        held_out(task, question)


def test_a_network_runs_on_the_questions_inputs_alone(task: Task, question: BeliefQuestion) -> None:
    """Whoever draws inputs of his own, and their states from the definition, has more than he is given."""
    answer = Oracle().answer(question, task, [])

    def draws(asked: BeliefQuestion, network: Network) -> BeliefAnswer:
        run_with_cache(network, asked.domain.sample(2000, asked.generator))
        return answer

    def looks(asked: BeliefQuestion) -> BeliefAnswer:
        run_with_cache(asked.network, asked.inputs)
        asked.network(asked.inputs[:3])
        return answer

    ask_one(question, 0, "cpu", looks)
    with pytest.raises(UnshownInput, match="inputs that the question shows"):
        ask_one(question, 0, "cpu", lambda asked: draws(asked, asked.network))
    with pytest.raises(UnshownInput, match="inputs that the question shows"):
        ask_one(question, 0, "cpu", lambda asked: draws(asked, random_gauge(asked.network, asked.generator)[0]))
    question.network(task.record.domain.sample(5, question.generator))
