"""The track `variables`: the truth earns 1, and what is no insight earns nothing."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tracks import gates

from peabench import tracks
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.interventions import interchange, run_with_cache
from peabench.mechanism import Mechanism
from peabench.tasks import Task, load_task
from peabench.tracks.variables import TRACK, VariableAnswer, VariableQuestion, asked_variables, held_out
from peabench_tasks.induction.family import INDUCTION

ORACLE, PRIOR = TRACK.references


def axis(*coordinates: int) -> torch.Tensor:
    direction = torch.zeros(gates.D_MODEL, 1)
    direction[list(coordinates)] = 1
    direction /= direction.norm()
    return direction


def question_of(task: Task, variable: str) -> tuple[int, VariableQuestion]:
    questions = TRACK.questions(task, 0)
    index = [question.variable for question in questions].index(variable)
    return index, questions[index]


def graded(task: Task, variable: str, site: str, basis: torch.Tensor | None) -> dict[str, float]:
    index, question = question_of(task, variable)
    return TRACK.grade(task, index, question, VariableAnswer(site, basis))


def test_it_is_found_by_its_name() -> None:
    assert tracks.get("variables") is TRACK
    assert "variables" in tracks.names()
    with pytest.raises(PeabenchError, match="did you mean variables"):
        tracks.get("variable")


def test_the_oracle_earns_1(gates_task: Task) -> None:
    for index, question in enumerate(TRACK.questions(gates_task, 0)):
        metrics = TRACK.grade(gates_task, index, question, ORACLE.answer(question, gates_task, []))
        assert metrics["score"] == 1
        assert metrics["overlap"] == pytest.approx(1)
        assert metrics["leakage"] == 0


def test_a_focus_is_asked_about_alone_and_what_fixes_the_output_is_not_asked(gates_task: Task) -> None:
    assert sorted(asked_variables(gates_task)) == ["g0", "g1"]
    focused = replace(gates_task, record=gates_task.record.model_copy(update={"focus": ("g1",)}))
    assert asked_variables(focused) == ["g1"]


def test_the_examples_are_split_for_training_and_validation(gates_task: Task) -> None:
    _, question = question_of(gates_task, "g0")
    assert (len(question.training), len(question.validation)) == (800, 200)
    assert question.sites == ("resid.1@0", "resid.2@0", "resid.3@0")
    assert question.dimension == 1


def test_the_pairs_that_are_graded_on_are_not_in_the_question(gates_task: Task) -> None:
    _, question = question_of(gates_task, "g0")
    test = held_out(gates_task, question)

    def pairs(part: Any) -> set[tuple[int, ...]]:
        return set(map(tuple, torch.cat([part.base, part.source], 1).tolist()))

    assert not pairs(test) & (pairs(question.training) | pairs(question.validation))
    kinds = test.should_change
    assert min(int(kinds.sum()), int((~kinds).sum())) >= 200


def leaves(value: Any) -> Iterator[Any]:
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))
    else:
        yield value


def test_a_question_holds_no_truth(gates_task: Task) -> None:
    _, question = question_of(gates_task, "g0")
    for leaf in leaves(question):
        assert not isinstance(leaf, Task | Mechanism)
        assert gates_task.record.id not in repr(leaf)
        assert "spoken of by no question" not in repr(leaf)
    certified = gates_task.mechanism.tensor(gates_task.mechanism.alignment("g0").location.basis)  # type: ignore[arg-type]
    assert not any(isinstance(leaf, torch.Tensor) and leaf.shape == certified.shape for leaf in leaves(question))


def test_the_same_seed_asks_the_same_and_another_seed_other_pairs(gates_task: Task) -> None:
    one, two, other = (TRACK.questions(gates_task, seed)[0].training.base for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_each_question_has_a_network_of_its_own(gates_task: Task) -> None:
    one, two = TRACK.questions(gates_task, 0)
    assert one.network is not two.network
    assert not any(parameter.requires_grad for parameter in one.network.parameters())


def test_a_direction_that_nobody_reads_earns_0(gates_task: Task) -> None:
    metrics = graded(gates_task, "g0", "resid.1@0", axis(8))
    assert (metrics["score"], metrics["accuracy_change"], metrics["accuracy_stay"]) == (0, 0, 1)


def test_another_variables_subspace_is_told_apart(gates_task: Task) -> None:
    metrics = graded(gates_task, "g0", "resid.1@0", axis(7))
    assert metrics["score"] < 0.3
    assert metrics["overlap"] == 0
    assert metrics["leakage"] > 0.2


def test_an_entangled_subspace_leaks_and_overlaps_by_half(gates_task: Task) -> None:
    metrics = graded(gates_task, "g0", "resid.1@0", axis(6, 7))
    assert metrics["score"] < 0.9
    assert metrics["leakage"] > 0.05
    assert metrics["overlap"] == pytest.approx(0.5)


def test_leaning_on_a_bystander_is_right_on_the_domain_alone(tmp_path: Path) -> None:
    """An idle unit writes a copy of g0 where nobody reads: half of each is all of both, until others' copies come."""
    network = gates.network_with_a_bystander()
    task = gates.save_gates(tmp_path, network, gates.mechanism())
    found = graded(task, "g0", "resid.1@0", axis(6, 9))
    assert found["on_domain"] == 1
    assert found["score"] < 0.8
    truth = graded(task, "g0", "resid.1@0", axis(6))
    assert truth["on_domain"] == truth["score"] == 1


def test_what_is_wrong_on_the_domain_earns_nothing_elsewhere(gates_task: Task) -> None:
    generator = torch.Generator().manual_seed(5)
    for _ in range(10):
        noise = torch.zeros(gates.D_MODEL, 1)
        noise[9:] = torch.randn(3, 1, generator=generator)
        basis = torch.linalg.qr(axis(6) + noise).Q
        found = graded(gates_task, "g0", "resid.1@0", basis)
        assert found["score"] <= found["on_domain"] < 1


def test_without_a_circuit_nothing_is_taken_for_irrelevant(tmp_path: Path) -> None:
    mechanism = gates.mechanism().model_copy(update={"circuit": None})
    task = gates.save_gates(tmp_path, gates.network(), mechanism)
    found = graded(task, "g0", "resid.1@0", axis(6, 7))
    assert found["score"] == found["on_domain"]


def test_a_precursor_is_no_answer(gates_task: Task) -> None:
    """x0 + x1 is all that the gate sees of its inputs, so that it could be interchanged before it is computed."""
    with pytest.raises(InvalidAnswer, match=r"resid\.0"):
        graded(gates_task, "g0", "resid.0@0", axis(0, 1))


def test_swapping_a_whole_site_is_far_from_the_truth(gates_task: Task) -> None:
    assert all(graded(gates_task, "g0", f"resid.{layer}", None)["score"] < 0.5 for layer in range(1, 4))


def test_random_answers_earn_little(gates_task: Task) -> None:
    index, question = question_of(gates_task, "g0")
    scores = []
    for seed in range(12):
        asked = replace(question, generator=torch.Generator().manual_seed(seed))
        answer = PRIOR.answer(asked, gates_task, [])
        scores.append(TRACK.grade(gates_task, index, question, answer)["score"])
    assert abs(sum(scores) / len(scores)) < 0.15


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (VariableAnswer("", axis(6)), "Expected a site of the question"),
        (VariableAnswer("resid.4@0", axis(6)), "Expected a site of the question"),
        (VariableAnswer("resid.1@1", axis(6)), "Expected a site of the question"),
        (VariableAnswer("block0.unit1@0", axis(6)), "Expected a site of the question"),
        (VariableAnswer(None, axis(6)), "Expected a site of the question"),  # type: ignore[arg-type]
        (VariableAnswer("resid.1@0", axis(6) * torch.nan), "NaN or infinity"),
        (VariableAnswer("resid.1@0", axis(6) * 2), "orthonormal columns"),
        (VariableAnswer("resid.1@0", torch.zeros(12, 1)), "orthonormal columns"),
        (VariableAnswer("resid.1@0", torch.eye(12)[:, :2]), r"\[12, 1 to 1\]"),
        (VariableAnswer("resid.1@0", torch.eye(12)[:, :0]), r"\[12, 1 to 1\]"),
        (VariableAnswer("resid.1@0", torch.eye(11)[:, :1]), r"\[12, 1 to 1\]"),
        (VariableAnswer("resid.1@0", axis(6)[:, 0]), "floating-point basis"),
        (VariableAnswer("resid.1@0", axis(6).long()), "floating-point basis"),
        (VariableAnswer("resid.1@0", axis(6).tolist()), "floating-point basis"),  # type: ignore[arg-type]
        (VariableAnswer("resid.1@0", axis(6).to_sparse()), "dense tensor in 'basis'"),
        (VariableAnswer("resid.1@0", axis(6).to(torch.float8_e5m2)), "real numbers in 'basis', got torch.float8"),
        (VariableAnswer("resid.1@0", axis(6).to("meta")), "got a tensor of the meta device"),
        (("resid.1@0", axis(6)), "Expected a VariableAnswer"),
        (None, "Expected a VariableAnswer"),
    ],
)
def test_what_is_no_answer_is_refused(gates_task: Task, answer: Any, complaint: str) -> None:
    index, question = question_of(gates_task, "g0")
    with pytest.raises(InvalidAnswer, match=complaint):
        TRACK.grade(gates_task, index, question, answer)


def test_a_site_may_be_written_without_its_only_position(gates_task: Task) -> None:
    assert graded(gates_task, "g0", "resid.1", axis(6))["score"] == 1


def test_a_network_that_computes_nothing_gives_the_truth_no_score(gates_task: Task) -> None:
    question = TRACK.questions(gates_task, 0)[0]
    twin = TRACK.twin_question(question, gates_task)
    assert twin is not None
    assert torch.equal(twin.training.base, question.training.base)
    assert not torch.equal(twin.network.get_parameter("w_embed"), question.network.get_parameter("w_embed"))
    truth = ORACLE.answer(question, gates_task, [])
    assert TRACK.grade(gates_task, 0, twin, truth)["score"] < 0.3


def test_only_the_first_question_is_asked_of_the_twin_too(gates_task: Task) -> None:
    first, second = TRACK.questions(gates_task, 0)
    assert TRACK.twin_question(first, gates_task) is not None
    assert TRACK.twin_question(second, gates_task) is None


def test_a_task_without_a_twin_has_no_twin_question(tmp_path: Path) -> None:
    gates.save_gates(tmp_path, gates.network(), gates.mechanism())
    record = tmp_path / "task.json"
    record.write_text(
        record.read_text().replace('"random_init"', '"free"').replace('"file": null', '"file": "a.safetensors"')
    )
    task = load_task(tmp_path)
    assert TRACK.twin_question(TRACK.questions(task, 0)[0], task) is None


def test_no_gauge_changes_a_score(gates_task: Task, rotation_and_regauged_task: tuple[torch.Tensor, Task]) -> None:
    rotation, regauged = rotation_and_regauged_task
    generator = torch.Generator().manual_seed(0)
    for index, (question, again) in enumerate(
        zip(TRACK.questions(gates_task, 0), TRACK.questions(regauged, 0), strict=True)
    ):
        truth = TRACK.grade(regauged, index, again, ORACLE.answer(again, regauged, []))
        assert (truth["score"], truth["leakage"]) == (1, 0)
        assert truth["overlap"] == pytest.approx(1, abs=1e-5)
        basis = torch.linalg.qr(torch.randn(gates.D_MODEL, 1, generator=generator)).Q
        one = TRACK.grade(gates_task, index, question, VariableAnswer("resid.1@0", basis))
        turned = TRACK.grade(regauged, index, again, VariableAnswer("resid.1@0", rotation.T @ basis))
        assert turned == pytest.approx(one, abs=2e-3)  # a logit of about 0 may change its sign


def test_the_prior_takes_the_first_site_of_the_question(gates_task: Task) -> None:
    _, question = question_of(gates_task, "g0")
    late_first = replace(question, sites=("resid.3@0", "resid.1@0"))
    for asked in (question, late_first):
        answer = PRIOR.answer(asked, gates_task, [gates_task])
        assert answer.site == asked.sites[0]
        assert answer.basis is not None
        assert answer.basis.shape == (12, question.dimension)


def test_every_candidate_site_of_a_transformer_reaches_the_output() -> None:
    task = load_task(INDUCTION.checkpoints / "copy-xs-0")
    question = TRACK.questions(task, 0)[0]
    network, pairs = question.network, question.training.select(torch.arange(64))
    last = network.graph.n_positions - 1
    assert [s for s in question.sites if s.startswith("resid.2@")] == [f"resid.2@{last}"]
    base, source = (run_with_cache(network, rows) for rows in (pairs.base, pairs.source))
    everything = torch.eye(task.record.network.d_model)[None]
    for site in (*question.sites, f"resid.2@{last - 1}"):
        if not site.endswith("@0"):  # where all inputs are alike
            moved = (interchange(network, base, source, site, everything)[0] - base.logits)[:, -1].abs().max()
            assert (float(moved) > 1e-3) == (site in question.sites)
