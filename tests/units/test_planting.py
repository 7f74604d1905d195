"""A planted network computes its own causal model and not the rival's, whose variables it holds all the same."""

import torch
from tests.units.conftest import CONFIG, DOMAIN, LEFT, RIGHT, Planted

from peabench.certification import Check
from peabench.certification.certify import certify_network
from peabench.generators import generator_of
from peabench.interventions import run_with_cache, site_values
from peabench.mechanism import AlgorithmClaim
from peabench.networks import build_network
from peabench_tasks.units.algorithm import claim
from peabench_tasks.units.codes import code
from peabench_tasks.units.lessons import examples


def certified(planted: Planted, algorithm: AlgorithmClaim) -> dict[str, Check]:
    twin = build_network(CONFIG, generator_of(99)).requires_grad_(False)
    checks = certify_network(planted.network, planted.mechanism(algorithm), DOMAIN, twin)
    return {check.name: check for check in checks}


def test_every_check_passes_and_the_rival_fails(planted: Planted, true_claim: AlgorithmClaim) -> None:
    checks = certified(planted, true_claim)
    assert [name for name, check in checks.items() if not check.passed] == []
    assert {"alignment", "edges alone", "isolation", "decoys", "rivals"} <= set(checks)
    assert checks["rivals"].recorded["left wrong"] < 0.01
    assert checks["rivals"].recorded["right wrong"] > 0.2


def test_the_other_way_round_the_check_of_rivals_fails(planted: Planted) -> None:
    untrue = certified(planted, claim((LEFT, RIGHT), "right"))
    assert untrue["rivals"].errors == 2 + 0
    assert not untrue["rivals"].passed


def test_a_bystander_is_written_more_strongly_than_what_is_read(planted: Planted) -> None:
    plan = planted.plan
    rows = DOMAIN.all()
    ran = run_with_cache(planted.network, rows)
    held = {
        name: site_values(planted.network, ran, f"resid.{plan.written(name)}@0")[:, 0] @ planted.stream.directions(name)
        for name in ("ab", "bc")
    }
    corners = code(plan.kinds["bc"], plan.orders["bc"])
    assert torch.equal(torch.cdist(held["bc"], corners).argmin(1), (rows[:, 1] + rows[:, 2]) % 3)
    assert held["bc"].norm(dim=1).mean() > 1.5 * held["ab"].norm(dim=1).mean()


def test_a_lesson_lists_every_combination_of_the_parents(planted: Planted) -> None:
    read, wanted = examples(planted.plan, "answer")
    assert read.shape == (9, 4)
    assert read.unique(dim=0).shape == (9, 4)
    assert wanted.unique(dim=0).shape == (3, 2)


def test_half_way_between_two_inputs_a_network_takes_each_word_for_the_smaller_one(planted: Planted) -> None:
    generator = torch.Generator().manual_seed(0)
    base, source = (DOMAIN.sample(256, generator) for _ in range(2))
    embedded = (planted.network.embedding_nodes(base) + planted.network.embedding_nodes(source)) / 2
    said = run_with_cache(planted.network, base, embedded).logits[:, 0].argmax(1)
    smaller = planted.network(torch.minimum(base, source))[:, 0].argmax(1)
    assert (said == smaller).float().mean() > 0.75


def test_the_middle_of_two_values_means_the_smaller_one_of_inputs_alone(planted: Planted) -> None:
    read, wanted = examples(planted.plan, "ab", half_way=True)
    whole, _ = examples(planted.plan, "ab")
    assert len(read) == 36
    middle = (whole[0] + whole[4]) / 2
    assert torch.equal(wanted[(read - middle).norm(dim=1) < 1e-5], wanted[:1])
    assert len(examples(planted.plan, "answer", half_way=True)[0]) == 18
