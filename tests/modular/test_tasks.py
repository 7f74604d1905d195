"""The shipped tasks of the family: certified, asked about fairly, and small."""

from collections import Counter
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
from peabench_tasks.margins import MARGIN, mean_margin
from peabench_tasks.modular.family import MODULAR
from peabench_tasks.modular.mechanism import FORMS, key_frequencies

MOST_BYTES = 3_500_000
SLACK = 1.25
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
        assert checks >= {"behaviour", "restricted", "excluded", "unclaimed", "phases", "closed form", "rivals"}
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


@pytest.fixture(scope="module")
def transformers() -> list[Task]:
    return [task for task in map(load_task, FOLDERS) if task.record.variant in FORMS]


def test_pairs_are_of_one_and_of_two_forms(transformers: list[Task]) -> None:
    for task in transformers:
        (question,) = UNIVERSALITY.questions(task, 0)
        same = alike(task, question, "algorithm")
        assert 0 < int(same.sum()) < len(same)
        assert int(alike(task, question, "implementation").sum()) <= int(same.sum())


def test_no_two_tasks_have_the_same_four_networks_of_which_two_are_of_either_form(transformers: list[Task]) -> None:
    fours = {frozenset([task.record.id, *(other.record.id for other in task.companions)]) for task in transformers}
    assert len(fours) == len(transformers)
    assert all(
        Counter(name.split("-")[0] for name in four) == {f"modular/{form}": 2 for form in FORMS} for four in fours
    )


def test_norms_of_queries_and_keys_do_not_tell_the_forms_apart(transformers: list[Task]) -> None:
    """Of the heads' products, and of what they attend to whatever the query; no gauge changes them, 0 would tell a
    pizza.
    """
    found: dict[str, list[float]] = {form: [] for form in FORMS}
    constant: dict[str, list[float]] = {form: [] for form in FORMS}
    for task in transformers:
        weights, biases = (task.network().get_parameter(f"block0.attention.{n}").detach() for n in ("w_qkv", "b_qkv"))
        assert bool((weights != 0).any(-1).all())
        products = weights[:, 0] @ weights[:, 1].mT
        found[task.record.variant] += torch.linalg.matrix_norm(products).tolist()
        constant[task.record.variant] += (weights[:, 1] @ biases[:, 0, :, None]).squeeze(-1).norm(dim=-1).tolist()
    pizzas, clocks = torch.tensor(found["pizza"]), torch.tensor(found["clock"])
    assert min(constant["clock"]) / SLACK < min(constant["pizza"])
    assert max(constant["pizza"]) < max(constant["clock"]) * SLACK
    assert clocks.min() / SLACK < pizzas.min()
    assert pizzas.max() < clocks.max() * SLACK
    smaller = (pizzas[:, None] < clocks).double().mean()
    assert 0.2 < smaller < 0.8


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_margins_are_alike(folder: Path) -> None:
    for task in every(folder):
        assert mean_margin(task.network(), task.record.domain) == pytest.approx(MARGIN, rel=1e-4)


def test_certificates_are_what_is_measured() -> None:
    task = load_task(FOLDERS[-1])
    assert [(c.name, c.errors, c.cases) for c in certify(task)] == [
        (c.name, c.errors, c.cases) for c in task.certificate
    ]


def test_the_family_is_small() -> None:
    assert sum(file.stat().st_size for file in MODULAR.checkpoints.rglob("*") if file.is_file()) < MOST_BYTES
