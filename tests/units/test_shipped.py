"""Shipped tasks of networks put together from units: certified, of one behaviour, and as different as they say."""

from itertools import combinations
from pathlib import Path

import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.units.test_families import name_of

from peabench.certification import Check, certify
from peabench.interventions import run_with_cache, site_values
from peabench.tasks import Task, load_task
from peabench.tracks import algorithms, universality
from peabench.tracks.algorithms import AlgorithmAnswer
from peabench.tracks.universality import UniversalityAnswer
from peabench_tasks.facts.family import FACTS
from peabench_tasks.facts.specifications import specifications as facts
from peabench_tasks.margins import MARGIN, mean_margin
from peabench_tasks.tracking.family import TRACKING
from peabench_tasks.tracking.specifications import specifications as tracking
from peabench_tasks.units.specification import PLAIN, Specification
from peabench_tasks.units.training import task_record

CHECKPOINTS = {family.name: family.checkpoints for family in (TRACKING, FACTS)}
LISTED = [*tracking(), *facts()]


def folder_of(specification: Specification) -> Path:
    return CHECKPOINTS[specification.family] / specification.name


SHIPPED = [specification for specification in LISTED if folder_of(specification).exists()]


def check(task: Task, name: str) -> Check:
    return next(check for check in task.certificate if check.name == name)


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_every_network_is_certified_and_the_record_is_what_training_writes(specification: Specification) -> None:
    task = load_task(folder_of(specification))
    assert task.record == task_record(specification, 0)
    truths = {member.name: member.truth for member in specification.members(0)}
    for name, member in zip(("own", *task.record.companions), (task, *task.companions), strict=True):
        assert all(check.passed for check in member.certificate)
        recorded, claim = check(member, "rivals").recorded, member.mechanism.algorithm
        assert claim is not None
        assert claim.held("algorithm") == {truths[name]}
        rivals = [recorded[f"{h.name} wrong"] for h in claim.hypotheses if h.is_candidate and not h.holds]
        assert len(rivals) >= 8
        assert min(rivals) > 0.05 > recorded[f"{truths[name]} wrong"]
    assert check(task, "same behaviour").errors == 0


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_four_networks_put_out_the_same_with_the_same_mean_margin(specification: Specification) -> None:
    task = load_task(folder_of(specification))
    rows, model = task.record.domain.all(), task.mechanism.causal_model
    wanted = model.run(model.read_inputs(rows))[model.output].long()
    networks = [task.network(), *(companion.network() for companion in task.companions)]
    assert len(networks) == 4
    for network in networks:
        assert torch.equal(run_with_cache(network, rows).logits[:, 0].argmax(1), wanted)
        assert mean_margin(network, task.record.domain) == pytest.approx(MARGIN, rel=1e-4)
    untrained = task.twin("random_init")
    assert untrained is not None
    assert not torch.equal(run_with_cache(untrained, rows).logits[:, 0].argmax(1), wanted)


def what_is_read_is_strong(task: Task) -> bool:
    """Whether the first variable that a network reads varies more, along an axis, than the first that nobody does."""
    mechanism, network = task.mechanism, task.network()
    ran = run_with_cache(network, task.record.domain.all())
    read = mechanism.alignment(mechanism.causal_model.inner[0]).location
    assert read.basis is not None
    unread = mechanism.features[0]
    axes = (read.site, mechanism.tensor(read.basis)), (unread.site, mechanism.tensor(unread.direction)[:, None])
    inside, beside = ((site_values(network, ran, site)[:, 0] @ axis).var(0).mean() for site, axis in axes)
    return bool(inside > beside)


@pytest.mark.parametrize("specification", [s for s in SHIPPED if s.variant != PLAIN], ids=name_of)
def test_to_rank_pairs_by_what_is_strong_is_chance(specification: Specification) -> None:
    task = load_task(folder_of(specification))
    truths = {member.name: member.truth for member in specification.members(0)}
    networks = dict(zip(("own", *task.record.companions), (task, *task.companions), strict=True))
    strong = {
        name: what_is_read_is_strong(some) == (truths[name] == specification.truths[0])
        for name, some in networks.items()
    }
    pairs = list(combinations(networks, 2))
    same = [truths[a] == truths[b] for a, b in pairs]
    assert roc_auc_score(same, [strong[a] == strong[b] for a, b in pairs]) == 0.5


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_truths_earn_1_and_constants_0_on_both_tracks(specification: Specification) -> None:
    task = load_task(folder_of(specification))
    (asked,) = algorithms.TRACK.questions(task, 0)
    truth = algorithms.Oracle().answer(asked, task, [])
    assert algorithms.TRACK.grade(task, 0, asked, truth)["score"] == pytest.approx(1)
    constant = AlgorithmAnswer(torch.zeros(len(asked.hypotheses)))
    assert algorithms.TRACK.grade(task, 0, asked, constant)["score"] == pytest.approx(0, abs=1e-9)
    (pairs,) = universality.TRACK.questions(task, 0)
    alike = universality.Oracle().answer(pairs, task, [])
    assert universality.TRACK.grade(task, 0, pairs, alike)["score"] == 1
    agreement = UniversalityAnswer(torch.ones(len(pairs.pairs)))
    assert universality.TRACK.grade(task, 0, pairs, agreement)["score"] == 0


def test_a_shipped_task_is_certified_from_its_files() -> None:
    task = load_task(min(map(folder_of, SHIPPED), key=lambda folder: load_task(folder).record.domain.size))
    assert all(check.passed for check in certify(task))
