"""The track `universality`: what it asks, what it grades, and how it is not gamed."""

from collections import defaultdict
from itertools import combinations, product
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from rival_networks import COMPANIONS, mechanism, save_rivals
from sklearn.metrics import roc_auc_score

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.mechanism import AlgorithmClaim, Hypothesis
from peabench.regauging import save_regauged
from peabench.tasks import Task, load_task
from peabench.tracks.universality import (
    COPIES,
    TRACK,
    Oracle,
    UniversalityAnswer,
    UniversalityQuestion,
    alike,
    decided,
    order_of,
)

NETWORKS = 1 + len(COMPANIONS) + COPIES
PAIRS = NETWORKS * (NETWORKS - 1) // 2


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("rivals"))


@pytest.fixture(scope="module")
def question(task: Task) -> UniversalityQuestion:
    (found,) = TRACK.questions(task, 0)
    return found


def score(task: Task, question: UniversalityQuestion, similarities: torch.Tensor) -> float:
    return TRACK.grade(task, 0, question, UniversalityAnswer(similarities))["score"]


def test_the_truth_earns_1_and_its_opposite_minus_1(task: Task, question: UniversalityQuestion) -> None:
    answer = Oracle().answer(question, task, [])
    assert TRACK.grade(task, 0, question, answer) == {"score": 1, "auroc_algorithm": 1, "auroc_copies": 1}
    opposite = TRACK.grade(task, 0, question, UniversalityAnswer(-answer.similarities))
    assert opposite == {"score": -1, "auroc_algorithm": 0, "auroc_copies": 0}


def test_pairs_are_alike_that_compute_the_same_variables(task: Task, question: UniversalityQuestion) -> None:
    computes = ["factored", *COMPANIONS.values()]
    members = [computes[member] for member in order_of(task, question.draw)]
    same = [members[one] == members[other] for one, other in combinations(range(NETWORKS), 2)]
    assert alike(task, question, "algorithm").tolist() == same
    assert question.pairs.tolist() == [list(pair) for pair in combinations(range(NETWORKS), 2)]
    assert len(question.networks) == NETWORKS


def test_the_same_similarity_for_all_pairs_earns_0(task: Task, question: UniversalityQuestion) -> None:
    for value in (0.0, 0.5, -1e30):
        assert score(task, question, torch.full((PAIRS,), value)) == 0


def test_what_the_networks_do_is_exactly_the_same(task: Task, question: UniversalityQuestion) -> None:
    """So that agreement of outputs is a constant, and earns exactly 0."""
    rows = task.record.domain.all()
    said = torch.stack([network(rows)[:, -1, 0] > 0 for network in question.networks])
    agreement = torch.tensor([(said[one] == said[other]).float().mean() for one, other in question.pairs.tolist()])
    assert (agreement == 1).all()
    assert score(task, question, agreement) == 0


def test_the_score_is_that_of_scikit_learn_with_each_two_networks_in_one_pair(
    task: Task, question: UniversalityQuestion
) -> None:
    """The mean over all ways to keep one of the pairs in which two different networks meet."""
    similarities = torch.rand(PAIRS, generator=torch.Generator().manual_seed(0)).round(decimals=1)  # some are equal
    members, same = order_of(task, question.draw), alike(task, question, "algorithm").tolist()
    meetings: dict[frozenset[int], list[int]] = defaultdict(list)
    for i, (one, other) in enumerate(question.pairs.tolist()):
        meetings[frozenset((members[one], members[other]))].append(i)
    copied = [i for pair, where in meetings.items() for i in where if len(pair) == 1]
    assert len(copied) == COPIES
    ways = [list(way) for way in product(*(where for pair, where in meetings.items() if len(pair) == 2))]
    assert len(ways) > 1

    def auroc(rows: list[int]) -> float:
        return float(roc_auc_score([same[i] for i in rows], similarities[rows].numpy()))

    metrics = TRACK.grade(task, 0, question, UniversalityAnswer(similarities))
    assert metrics["auroc_algorithm"] == pytest.approx(fmean(map(auroc, ways)))
    assert metrics["score"] == pytest.approx(2 * metrics["auroc_algorithm"] - 1)
    against = [[*copied, *(i for i in way if not same[i])] for way in ways]
    assert metrics["auroc_copies"] == pytest.approx(fmean(map(auroc, against)))
    assert score(task, question, torch.exp(5 * similarities) - 3) == pytest.approx(metrics["score"])


def test_who_finds_nothing_but_copies_earns_0(task: Task) -> None:
    """Most methods find that a network is the same in another gauge; the score asks for more."""
    for draw in range(4):
        (question,) = TRACK.questions(task, draw)
        members = torch.tensor(order_of(task, draw))[question.pairs]
        copies = (members[:, 0] == members[:, 1]).float()
        metrics = TRACK.grade(task, 0, question, UniversalityAnswer(copies))
        assert metrics == {"score": 0, "auroc_algorithm": 0.5, "auroc_copies": 1}
        truth = alike(task, question, "algorithm").float() * (1 - copies)
        metrics = TRACK.grade(task, 0, question, UniversalityAnswer(truth))
        assert metrics == {"score": 1, "auroc_algorithm": 1, "auroc_copies": 0.5}


def test_no_two_networks_weigh_more_as_one_of_them_has_a_copy(tmp_path: Path) -> None:
    """One pair is alike, one different is found out, and one is not: .5 whichever of the three is drawn twice."""
    task = save_rivals(tmp_path, companions={"a": "factored", "b": "expanded"})
    for draw in range(12):
        (question,) = TRACK.questions(task, draw)
        members = torch.tensor(order_of(task, draw))[question.pairs].sort(1).values
        found = torch.tensor([{(0, 1): 1.0, (0, 2): 0.0, (1, 2): 2.0}.get((a, b), 0.0) for a, b in members.tolist()])
        assert score(task, question, found) == 0


def test_random_similarities_earn_0_on_average(task: Task, question: UniversalityQuestion) -> None:
    draws = torch.rand(100, PAIRS, generator=torch.Generator().manual_seed(0))
    found = torch.tensor([score(task, question, similarities) for similarities in draws])
    assert abs(float(found.mean())) < 4 * float(found.std()) / 10


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (UniversalityAnswer(torch.full((PAIRS,), torch.nan)), "NaN or infinity"),
        (UniversalityAnswer(torch.full((PAIRS,), -torch.inf)), "NaN or infinity"),
        (UniversalityAnswer(torch.zeros(NETWORKS, NETWORKS)), f"one real number for each of the {PAIRS} pairs"),
        (
            UniversalityAnswer(torch.zeros(PAIRS, dtype=torch.complex64)),
            "in 'similarities', got torch.complex64",
        ),
        (UniversalityAnswer([0.0] * PAIRS), "similarities in a tensor, got a list"),  # type: ignore[arg-type]
        (torch.zeros(PAIRS), "Expected an UniversalityAnswer, got a Tensor"),
    ],
)
def test_what_is_no_answer_is_refused(task: Task, question: UniversalityQuestion, answer: Any, complaint: str) -> None:
    with pytest.raises(InvalidAnswer, match=complaint):
        TRACK.grade(task, 0, question, answer)


def test_no_weight_of_a_question_is_a_stored_one(task: Task, question: UniversalityQuestion) -> None:
    """Every network is in a gauge of its own: neither bytes nor norms tell a copy from what it was copied from."""
    stored = [member.network().state_dict()["block0.w_in"] for member in (task, *task.companions)]
    asked = [network.state_dict()["block0.w_in"] for network in question.networks]
    for one, other in combinations([*stored, *asked], 2):
        assert not torch.allclose(one.norm(), other.norm(), rtol=1e-3)


def test_no_place_in_the_order_is_better_than_another(task: Task) -> None:
    """Over many draws a network's number says nothing of what it does."""
    found = []
    for draw in range(300):
        order = torch.tensor(order_of(task, draw))
        found.append(torch.isin(order, torch.tensor([0, 2])).float())
    share = torch.stack(found).mean(0)
    assert float(share.max() - share.min()) < 0.15


def test_the_order_cannot_be_drawn_again_without_the_whole_record(task: Task, tmp_path: Path) -> None:
    save_rivals(tmp_path)
    (tmp_path / "task.json").write_text(task.record.model_copy(update={"salt": "00ff"}).model_dump_json())
    salted = load_task(tmp_path)
    assert [order_of(task, draw) for draw in range(5)] != [order_of(salted, draw) for draw in range(5)]


def test_no_gauge_changes_a_grade(task: Task, question: UniversalityQuestion, tmp_path: Path) -> None:
    regauged = save_regauged(tmp_path, task, task.record, torch.Generator().manual_seed(5))
    embeddings = [some.companions[0].network().state_dict()["w_embed"] for some in (regauged, task)]
    assert not torch.equal(*embeddings)
    (again,) = TRACK.questions(regauged, 0)
    similarities = torch.rand(PAIRS, generator=torch.Generator().manual_seed(1))
    assert score(regauged, again, similarities) == score(task, question, similarities)


def test_networks_that_differ_only_in_their_frequencies_differ_at_the_level_of_weights(tmp_path: Path) -> None:
    task = save_rivals(tmp_path, companions={"a": "factored", "b": "expanded", "c": "factored"})
    for member, held in zip((task, *task.companions), ("low", "low", "low", "high"), strict=True):
        sets = {"low": (1, 2), "high": (3, 5)}
        below = tuple(
            Hypothesis(
                name=name, kind="frequencies", description="", holds=name == held, level="implementation", frequencies=s
            )
            for name, s in sets.items()
        )
        truth = member.mechanism
        assert truth.algorithm is not None
        both = AlgorithmClaim(hypotheses=(*truth.algorithm.hypotheses, *below))
        truth.model_copy(update={"algorithm": both}).save(member.folder)
    task = load_task(tmp_path)
    (question,) = TRACK.questions(task, 0)
    algorithm, implementation = (alike(task, question, level) for level in ("algorithm", "implementation"))
    assert (implementation <= algorithm).all()
    assert int(implementation.sum()) < int(algorithm.sum())
    metrics = TRACK.grade(task, 0, question, UniversalityAnswer(implementation.float()))
    assert metrics["auroc_implementation"] == 1
    assert metrics["score"] < 1


def test_two_networks_of_which_nothing_is_known_are_left_out(tmp_path: Path) -> None:
    task = save_rivals(tmp_path, companions={"a": "expanded", "b": "expanded", "c": "factored"})
    table = Hypothesis(name="table", kind="other", description="", holds=True, level="algorithm")
    for companion in task.companions[:2]:  # as if they were memorisers
        truth = companion.mechanism
        assert truth.algorithm is not None
        rivals = tuple(h.model_copy(update={"holds": False}) for h in truth.algorithm.hypotheses)
        unknown = truth.model_copy(update={"algorithm": AlgorithmClaim(hypotheses=(table, *rivals))})
        unknown.save(companion.folder)
    task = load_task(tmp_path)
    for draw in range(4):
        (question,) = TRACK.questions(task, draw)
        members = order_of(task, draw)
        pairs = [{members[one], members[other]} for one, other in question.pairs.tolist()]
        same, known = alike(task, question, "algorithm"), decided(task, question)
        assert known.tolist() == [pair != {1, 2} for pair in pairs]
        assert same.tolist() == [len(pair) == 1 or pair == {0, 3} for pair in pairs]
        for unknown_pairs in (-9.0, 9.0):
            similarities = torch.where(known, same.float(), torch.full((PAIRS,), unknown_pairs))
            metrics = TRACK.grade(task, 0, question, UniversalityAnswer(similarities))
            assert metrics == {"score": 1, "auroc_algorithm": 1, "auroc_copies": 1}


@pytest.mark.parametrize("companions", [{"a": "factored"}, {"a": "expanded"}])
def test_networks_that_are_all_alike_or_all_different_are_no_question(
    companions: dict[str, str], tmp_path: Path
) -> None:
    """A copy, which is like its original in any case, is not enough."""
    task = save_rivals(tmp_path, companions=companions)
    with pytest.raises(PeabenchError, match="are all alike or all different"):
        TRACK.questions(task, 0)


def test_a_companion_of_another_domain_is_refused(tmp_path: Path) -> None:
    task = save_rivals(tmp_path)
    companion = task.companions[0]
    domain = companion.record.domain.model_copy(update={"sizes": (2, 2, 2, 1)})
    other = companion.record.model_copy(update={"domain": domain, "domain_size": 8})
    (companion.folder / "task.json").write_text(other.model_dump_json())
    with pytest.raises(PeabenchError, match=r"no companion of hand/rivals-xs-0: domain: expected \(2, 2, 2, 2\)"):
        TRACK.questions(load_task(tmp_path), 0)


def test_a_network_without_hypotheses_cannot_be_compared(tmp_path: Path) -> None:
    task = save_rivals(tmp_path)
    mechanism("expanded").model_copy(update={"algorithm": None}).save(task.companions[0].folder)
    with pytest.raises(PeabenchError, match="has no hypotheses"):
        TRACK.questions(load_task(tmp_path), 0)
