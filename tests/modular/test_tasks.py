"""The shipped tasks of the family: certified, asked about fairly, and small."""

from pathlib import Path

import pytest
import torch

from peabench.certification import certify
from peabench.certification.adder import Adder
from peabench.networks import TransformerConfig
from peabench.tasks import Task, load_task
from peabench.tracks.algorithms import TRACK as ALGORITHMS
from peabench.tracks.algorithms import holding
from peabench.tracks.universality import TRACK as UNIVERSALITY
from peabench.tracks.universality import alike
from peabench_tasks.modular.family import MODULAR
from peabench_tasks.modular.mechanism import key_frequencies

MOST_BYTES = 3 << 20
FOLDERS = sorted(folder for folder in MODULAR.checkpoints.iterdir() if not folder.name.startswith("."))


def every(folder: Path) -> list[Task]:
    task = load_task(folder)
    return [task, *task.companions]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_network_is_certified_and_claims_its_key_frequencies(folder: Path) -> None:
    for task in every(folder):
        assert all(check.passed for check in task.certificate)
        checks = {check.name for check in task.certificate}
        transformer = isinstance(task.record.network, TransformerConfig)
        assert checks >= {"behaviour", "restricted", "excluded", "phases", "closed form", "rivals"}
        assert checks >= ({"form", "neurons"} if transformer else {"neuron phases"})
        assert ("settled" in checks) == (task.twin("halfway") is not None)
        claim = task.mechanism.algorithm
        assert claim is not None
        (true,) = [h for h in claim.hypotheses if h.holds and h.frequencies is not None]
        sign = -1 if task.mechanism.causal_model.output == "difference" else 1
        adder = Adder.of(task.network(), task.record.domain.sizes[0], sign)
        assert true.frequencies == key_frequencies(adder)
        assert adder.wrong(adder.logits) == 0


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_question_has_rivals_of_which_none_is_the_medoid(folder: Path) -> None:
    task = load_task(folder)
    for question in ALGORITHMS.questions(task, 0):
        holds = holding(task, question)
        assert int(holds.sum()) == 1
        assert len(holds) >= 9
        sets = [set(candidate.frequencies or ()) for candidate in question.hypotheses]
        apart = torch.tensor([[len(one ^ other) for other in sets] for one in sets]).sort(-1).values
        assert bool((apart == apart[0]).all())


def test_pairs_are_of_one_and_of_two_forms() -> None:
    tasks = [task for task in map(load_task, FOLDERS) if "universality" in task.record.tracks]
    assert tasks
    for task in tasks:
        (question,) = UNIVERSALITY.questions(task, 0)
        same = alike(task, question, "algorithm")
        assert 0 < int(same.sum()) < len(same)
        assert int(alike(task, question, "implementation").sum()) <= int(same.sum())


def test_certificates_are_what_is_measured() -> None:
    task = load_task(FOLDERS[-1])
    assert [(c.name, c.errors, c.cases) for c in certify(task)] == [
        (c.name, c.errors, c.cases) for c in task.certificate
    ]


def test_the_family_is_small() -> None:
    assert sum(file.stat().st_size for file in MODULAR.checkpoints.rglob("*.safetensors")) < MOST_BYTES
