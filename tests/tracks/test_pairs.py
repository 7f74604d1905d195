"""Pairs and their labels, against a formula written out by hand."""

import torch
from tests.tracks import gates

from peabench.domain import ProductDomain
from peabench.mechanism import And, Boolean, CausalModel, Variable, VariableReference
from peabench.tracks.pairs import Pairs, balanced_accuracy, draw_pairs, generator_from, held_out_pairs, predicted_class


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(pairs: Pairs) -> set[tuple[int, ...]]:
    return set(map(tuple, torch.cat([pairs.base, pairs.source], 1).tolist()))


def rare_model() -> CausalModel:
    """`gate` of six inputs decides only where a guard of four others holds."""
    inputs = [Variable(name=f"x{i}", kind=Boolean(), columns=(i,)) for i in range(10)]

    def conjunction(name: str, *parents: str) -> Variable:
        arguments = tuple(VariableReference(name=parent) for parent in parents)
        return Variable(name=name, kind=Boolean(), parents=parents, function=And(arguments=arguments))

    gate = conjunction("gate", "x0", "x1")
    return CausalModel(
        variables=(*inputs, gate, conjunction("out", "gate", *(f"x{i}" for i in range(2, 9)))), output="out"
    )


def test_labels_are_those_of_the_formula() -> None:
    domain = ProductDomain(sizes=(2,) * gates.N_INPUTS)
    pairs = draw_pairs(gates.causal_model(), "g0", domain, 500, generator())
    for base, source, label, plain in zip(
        pairs.base.tolist(),
        pairs.source.tolist(),
        pairs.counterfactual.tolist(),
        pairs.base_output.tolist(),
        strict=True,
    ):
        g1 = base[2] and base[3]
        assert label == (source[0] and source[1]) ^ g1
        assert plain == (base[0] and base[1]) ^ g1
    assert torch.equal(pairs.same_value, pairs.base_value == pairs.source_value)
    assert not bool((pairs.should_change & pairs.same_value).any())


def test_held_out_pairs_are_none_of_the_known() -> None:
    domain = ProductDomain(sizes=(2,) * gates.N_INPUTS)
    known = draw_pairs(gates.causal_model(), "g0", domain, 1000, generator())
    fresh = held_out_pairs(gates.causal_model(), "g0", domain, known, generator(1))
    assert len(fresh) == 4096
    assert not rows(known) & rows(fresh)
    assert len(rows(fresh)) > 1000


def test_a_domain_too_small_to_hold_anything_out_is_used_whole() -> None:
    domain = ProductDomain(sizes=(2,) * gates.N_INPUTS)
    known = draw_pairs(gates.causal_model(), "g0", domain, 3000, generator())
    fresh = held_out_pairs(gates.causal_model(), "g0", domain, known, generator(1))
    assert len(rows(fresh) & rows(known)) > 100


def test_a_rare_gate_is_rare_in_training_and_not_in_the_test() -> None:
    domain = ProductDomain(sizes=(2,) * 10)
    known = draw_pairs(rare_model(), "gate", domain, 4096, generator())
    assert int(known.should_change.sum()) < 30
    fresh = held_out_pairs(rare_model(), "gate", domain, known, generator(1))
    assert int(fresh.should_change.sum()) >= 200
    assert int((~fresh.should_change).sum()) >= 200


def test_copying_the_base_earns_nothing_whatever_the_share_of_changes() -> None:
    domain = ProductDomain(sizes=(2,) * 10)
    pairs = draw_pairs(rare_model(), "gate", domain, 20_000, generator())
    predictions = torch.stack([pairs.base_output, pairs.counterfactual, 1 - pairs.counterfactual])
    assert balanced_accuracy(predictions, pairs).tolist() == [0.0, 1.0, -1.0]


def test_predictions_of_one_logit_and_of_many() -> None:
    assert predicted_class(torch.tensor([[[0.5]], [[-0.5]]])).tolist() == [1, 0]
    assert predicted_class(torch.tensor([[[9.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])).tolist() == [2]


def test_a_generator_depends_on_all_of_its_content() -> None:
    seeds = {
        generator_from(*content).initial_seed()
        for content in (("a", "b"), ("ab",), ("a", "c"), ("a", torch.zeros(2)), ("a", torch.ones(2)))
    }
    assert len(seeds) == 5
    assert generator_from("a", torch.ones(2)).initial_seed() in seeds
