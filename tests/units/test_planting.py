"""A planted network computes its own causal model and not the rival's, whose variables it holds all the same."""

import pytest
import torch
from tests.units.conftest import CONFIG, DOMAIN, LEFT, RIGHT, Planted

from peabench.certification.certify import certify_network
from peabench.certification.rivals import rivals_check
from peabench.certification.subject import examine
from peabench.generators import generator_of
from peabench.interventions import run_with_cache, site_values
from peabench.mechanism import AlgorithmClaim
from peabench.networks import build_network
from peabench_tasks.units.algorithm import claim
from peabench_tasks.units.assembly import Stream
from peabench_tasks.units.codes import code
from peabench_tasks.units.lessons import examples


def test_every_check_passes_and_the_rival_fails(planted: Planted, true_claim: AlgorithmClaim) -> None:
    twin = build_network(CONFIG, generator_of(99)).requires_grad_(False)
    made = certify_network(planted.network, planted.mechanism(true_claim), DOMAIN, twin)
    checks = {check.name: check for check in made}
    assert [name for name, check in checks.items() if not check.passed] == []
    assert {"alignment", "edges alone", "isolation", "decoys", "rivals"} <= set(checks)
    assert checks["rivals"].recorded["left wrong"] < 0.01
    assert checks["rivals"].recorded["right wrong"] > 0.2


def test_the_other_way_round_the_check_of_rivals_fails(planted: Planted) -> None:
    subject = examine(planted.network, planted.mechanism(claim((LEFT, RIGHT), "right")), DOMAIN)
    untrue = rivals_check(subject, None)
    assert untrue is not None
    assert untrue.errors == 2
    assert not untrue.passed


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


def test_the_alarm_is_silent_on_all_inputs_and_loud_half_way_between_two_of_them(planted: Planted) -> None:
    network, rows = planted.network, DOMAIN.all()
    block, unit = network.block(0), planted.plan.alarm
    embedded = network.embedding_nodes(rows).sum(0)[:, 0]
    half_way = (embedded + embedded[torch.randperm(len(rows), generator=generator_of(0))]) / 2

    def written(stream: torch.Tensor) -> torch.Tensor:
        return (stream @ block.w_in[unit] + block.b_in[unit]).relu() @ block.w_out[unit]

    assert written(embedded).norm(dim=1).max() < 0.5
    moved = (half_way - embedded).norm(dim=1) > 1e-3
    assert written(half_way)[moved].norm(dim=1).median() > 4


def test_columns_of_a_stream_are_dealt_in_order_and_a_stream_that_is_too_narrow_is_named() -> None:
    stream = Stream.dealt({"a": 2, "b": 1}, 5, 0)
    held = torch.cat([stream.directions("a"), stream.directions("b"), stream.rest], 1)
    assert torch.equal(held, stream.basis)
    assert torch.allclose(held.T @ held, torch.eye(5), atol=1e-6)
    with pytest.raises(RuntimeError, match=r"\['a', 'b'\] need 5 directions, and d_model is 4"):
        Stream.dealt({"a": 2, "b": 1}, 4, 0)
