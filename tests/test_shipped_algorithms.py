"""Shipped tasks that ask which of many ways a network goes: certified, alike outside, as different as they say."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from peabench.certification import Check
from peabench.certification.rivals import REFUTED
from peabench.interventions import run_with_cache
from peabench.registry import Family
from peabench.tasks import Task, TaskRecord, load_task
from peabench.tracks import algorithms, universality
from peabench.tracks.algorithms import AlgorithmAnswer
from peabench.tracks.universality import UniversalityAnswer
from peabench_tasks.distributive.attending.specifications import Attending
from peabench_tasks.distributive.family import DISTRIBUTIVE
from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.facts.family import FACTS
from peabench_tasks.facts.specifications import specifications as facts
from peabench_tasks.multitask_parity.family import MULTITASK_PARITY
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.sparse_parity.family import SPARSE_PARITY
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.specification import OWN
from peabench_tasks.tracking.family import TRACKING
from peabench_tasks.tracking.specifications import specifications as tracking
from peabench_tasks.units.training import task_record as record_of_units
from peabench_tasks.ways.training import task_record as record_of_ways


@dataclass(frozen=True)
class Listed:
    """What a family's list says of a task."""

    folder: Path
    record: TaskRecord
    truths: dict[str, str | None]
    """Name of the hypothesis that each network was planted with, by the network's name; None: shown outputs alone."""

    @property
    def task(self) -> Task:
        return load_task(self.folder)

    def networks(self) -> dict[str, Task]:
        task = self.task
        return {OWN: task} | dict(zip(task.record.companions, task.companions, strict=True))


def listed() -> list[Listed]:
    families: list[tuple[Family, type[Distributive | SparseParity | MultitaskParity]]] = [
        (DISTRIBUTIVE, Distributive), (DISTRIBUTIVE, Attending),
        (SPARSE_PARITY, SparseParity), (MULTITASK_PARITY, MultitaskParity),
    ]  # fmt: skip
    found = []
    for family, specifications in families:
        for one in specifications.listed():
            truths = {m.name: None if m.truth is None else f"way-{m.truth}" for m in one.members(0)}
            found.append(Listed(family.checkpoints / one.name, record_of_ways(one, 0), truths))
    for family, tasks in ((TRACKING, tracking()), (FACTS, facts())):
        for some in tasks:
            told = {m.name: m.truth for m in some.members(0)}
            found.append(Listed(family.checkpoints / some.name, record_of_units(some, 0), {**told}))
    return found


LISTED = listed()
SHIPPED = [one for one in LISTED if one.folder.exists()]
every_task = pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.record.id)


def check(task: Task, name: str) -> Check:
    return next(check for check in task.certificate if check.name == name)


def test_there_are_some_of_every_family() -> None:
    assert {one.record.family for one in SHIPPED} == {one.record.family for one in LISTED}


@every_task
def test_every_network_is_certified_and_the_record_is_what_training_writes(one: Listed) -> None:
    networks = one.networks()
    assert networks[OWN].record == one.record
    assert all(check.passed for task in networks.values() for check in task.certificate)
    assert check(networks[OWN], "same behaviour").errors == 0


@every_task
def test_rivals_are_wrong_and_what_holds_is_right(one: Listed) -> None:
    for name, task in one.networks().items():
        recorded, claim = check(task, "rivals").recorded, task.mechanism.algorithm
        assert claim is not None
        assert claim.held("algorithm") == {one.truths[name]} - {None}
        rates = {h.name: (recorded[f"{h.name} wrong"], h.holds) for h in claim.hypotheses if h.is_candidate}
        assert sum(not holds for _, holds in rates.values()) >= 8
        assert all(rate < REFUTED if holds else rate > REFUTED for rate, holds in rates.values())


@every_task
def test_networks_put_out_the_same_and_the_untrained_twin_does_not(one: Listed) -> None:
    tasks = one.networks()
    rows, model = one.record.domain.all(), tasks[OWN].mechanism.causal_model
    wanted = model.run(model.read_inputs(rows))[model.output].long()
    untrained = tasks[OWN].twin("random_init")
    assert untrained is not None
    for network, right in (*((task.network(), True) for task in tasks.values()), (untrained, False)):
        logits = run_with_cache(network, rows).logits[:, -1]
        said = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
        assert torch.equal(said, wanted) == right


@every_task
def test_truths_earn_1_and_constants_0_on_both_tracks(one: Listed) -> None:
    task = one.task
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
