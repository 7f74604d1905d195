"""Derived families: the causal models are the behaviour, and certificates fail where the explanation is false."""

from itertools import product
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from peabench.certification import Check, certify_network
from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.mechanism import Attends, Constant, Mechanism, MechanismError
from peabench.networks import Transformer, TransformerConfig, build_network
from peabench.registry import Family
from peabench.tasks import load_task
from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.derived.free_training import HARDEST, POOL, Recipe, hardest, train_freely, uniformly
from peabench_tasks.induction.family import INDUCTION
from peabench_tasks.induction.mechanism import causal_model as induction
from peabench_tasks.induction.specifications import followers
from peabench_tasks.max_of_k.family import MAX_OF_K
from peabench_tasks.max_of_k.mechanism import causal_model as max_of_k
from peabench_tasks.max_of_k.mechanism import explain
from peabench_tasks.max_of_k.specifications import close, largest

VOCABULARY = 12


def reference_follower(row: tuple[int, ...], vocabulary: int) -> int:
    """By hand: scan the earlier tokens from the left."""
    tokens = row[1:]
    for i in range(len(tokens) - 1):
        if tokens[i] == tokens[-1]:
            return tokens[i + 1]
    return vocabulary


def test_induction_answers_what_followed_the_first_occurrence() -> None:
    domain = ProductDomain(sizes=(1, 3, 3, 3, 3))
    model = induction(3, 5)
    rows = domain.all()
    by_hand = [reference_follower(tuple(row), 3) for row in rows.tolist()]
    assert model.run(model.read_inputs(rows))["next"].tolist() == by_hand
    assert followers(rows, 3)[:, -1].tolist() == by_hand


def test_answers_at_earlier_positions_are_those_of_shorter_rows() -> None:
    rows = ProductDomain(sizes=(1, 4, 4, 4, 4, 4)).sample(64, torch.Generator().manual_seed(0))
    for length in range(2, 7):
        assert torch.equal(followers(rows, 4)[:, length - 1], followers(rows[:, :length], 4)[:, -1])


def test_max_of_k_answers_the_largest_token() -> None:
    model = max_of_k(4, 3)
    rows = torch.tensor(list(product(range(4), repeat=3)))
    assert model.run(model.read_inputs(rows))["largest"].tolist() == [max(row) for row in rows.tolist()]
    assert largest(rows)[:, 0].tolist() == [max(row) for row in rows.tolist()]


def test_small_answers_and_near_ties_are_drawn_as_often_as_others() -> None:
    rows = close(64, 4, (2, 4096), torch.Generator().manual_seed(0))
    assert rows.shape == (2, 4096, 4)
    assert int(rows.min()) == 0
    assert int(rows.max()) == 63
    assert float((rows.amax(-1) < 8).double().mean()) > 0.1  # uniform tokens: 0.0002
    first, second = rows.topk(2).values.unbind(-1)
    assert float((first - second == 1).double().mean()) > 0.1  # uniform tokens: 0.05


def test_the_inputs_that_are_kept_are_those_that_each_network_answers_worst() -> None:
    config = TransformerConfig(d_vocabulary=6, n_positions=3, d_model=8, n_blocks=1, n_heads=1, d_head=8, d_output=6)
    networks = [Transformer(config, torch.Generator().manual_seed(seed)) for seed in range(2)]
    stack = StackedTransformer.from_networks(networks)
    rows = torch.stack(
        [ProductDomain(sizes=(6, 6, 6)).sample(1024, torch.Generator().manual_seed(s)) for s in range(2)]
    )
    pool = hardest(stack, rows, largest, None)
    assert pool.shape == (2, HARDEST, 3)
    for network, drawn, kept in zip(networks, rows, pool, strict=True):
        by_margin = sorted(margin_by_hand(network, drawn))
        assert torch.allclose(torch.tensor(sorted(margin_by_hand(network, kept))), torch.tensor(by_margin[:HARDEST]))
    longer = hardest(stack, rows, largest, rows.repeat(1, POOL // 1024, 1))
    assert longer.shape == (2, POOL, 3)
    assert torch.equal(longer[:, -HARDEST:], pool)


def margin_by_hand(network: Transformer, rows: torch.Tensor) -> list[float]:
    """The right logit less the best other one."""
    logits = run_with_cache(network, rows).logits[:, -1].tolist()
    right = [max(row) for row in rows.tolist()]
    return [some[c] - max(x for i, x in enumerate(some) if i != c) for some, c in zip(logits, right, strict=True)]


@pytest.mark.parametrize("family", [MAX_OF_K, INDUCTION], ids=lambda family: family.name)
def test_every_shipped_size_has_three_certified_networks(family: Family) -> None:
    tasks = [load_task(folder) for folder in sorted(family.checkpoints.iterdir())]
    found = [(task.record.size, task.record.seed) for task in tasks]
    assert sorted(found) == sorted(product(("xs", "s", "m"), range(3)))
    for task in tasks:
        checks = {check.name: check for check in task.certificate}
        assert all(check.passed for check in task.certificate)
        assert {"behaviour", "alignment", "edges alone", "sufficiency", "closed form", "settled"} <= set(checks)
        assert checks["behaviour"].errors == 0
        assert checks["behaviour"].exhaustive == (task.record.domain.size <= 1 << 24)
        assert "Start " in task.record.description


@pytest.fixture(scope="module")
def trained() -> tuple[Transformer, Transformer, Transformer]:
    """A network that takes the larger of two tokens, itself at half of its training, and a random one."""
    config = TransformerConfig(
        d_vocabulary=VOCABULARY,
        n_positions=2,
        d_model=16,
        n_blocks=1,
        n_heads=1,
        d_head=16,
        d_output=VOCABULARY,
    )
    recipe = Recipe(steps=500, rows=128, rate=1e-2)
    domain = ProductDomain(sizes=(VOCABULARY,) * 2)
    result = train_freely(config, [1], lambda shape, generator: uniformly(domain, shape, generator), largest, recipe)
    twin = build_network(config, torch.Generator().manual_seed(9))
    assert isinstance(twin, Transformer)
    return result.networks[0].requires_grad_(False), result.halfway[0].requires_grad_(False), twin.requires_grad_(False)


def checks_of(trained: tuple[Transformer, Transformer, Transformer], mechanism: Mechanism) -> dict[str, Check]:
    network, halfway, twin = trained
    domain = ProductDomain(sizes=(VOCABULARY,) * 2)
    return {check.name: check for check in certify_network(network, mechanism, domain, twin, halfway)}


def test_a_true_explanation_is_certified(trained: tuple[Transformer, Transformer, Transformer]) -> None:
    checks = checks_of(trained, explain(trained[0], 0.17))
    for name in ("behaviour", "attention", "closed form", "settled", "sufficiency", "necessity", "edges alone"):
        check = checks[name]
        assert check.passed, check
        assert check.null is not None
        assert check.null.errors > check.bar * check.null.cases
    assert checks["behaviour"].errors == 0
    assert checks["closed form"].recorded["share of the logits' variance"] > 0.8


def test_a_head_that_is_said_to_look_elsewhere_fails(trained: tuple[Transformer, Transformer, Transformer]) -> None:
    mechanism = explain(trained[0], 0.1)
    first = (Attends(head="block0.head0", query=1, keys=Constant(value=(True, False))),)
    checks = checks_of(trained, mechanism.model_copy(update={"attention": first}))
    assert not checks["attention"].passed
    assert not checks["closed form"].passed


def test_an_unsettled_network_fails(trained: tuple[Transformer, Transformer, Transformer]) -> None:
    network, _, twin = trained
    checks = checks_of((network, twin, twin), explain(network, 0.1))
    assert not checks["settled"].passed
    assert checks["behaviour"].passed


def test_only_derived_mechanisms_may_have_a_tolerance(trained: tuple[Transformer, Transformer, Transformer]) -> None:
    document = explain(trained[0], 0.1).model_dump()
    with pytest.raises(ValidationError, match="derived mechanisms, of features and of beliefs only"):
        Mechanism.model_validate(document | {"provenance": "planted"})


def test_claims_about_heads_that_the_network_lacks_are_refused(
    trained: tuple[Transformer, Transformer, Transformer], tmp_path: Path
) -> None:
    from peabench.truth import check_truth

    network = trained[0]
    claim = Attends(head="block0.head7", query=1, keys=Constant(value=(True, False)))
    mechanism = explain(network, 0.1).model_copy(update={"attention": (claim,)})
    with pytest.raises(MechanismError, match="head of the network"):
        check_truth(mechanism, network.config, tmp_path)
