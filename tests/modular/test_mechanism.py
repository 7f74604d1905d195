"""Causal models are the behaviour; rivals do not give the truth away; false claims about frequencies are found out."""

from collections.abc import Sequence
from itertools import product

import pytest
import torch

from peabench.certification import Check, certify_network
from peabench.certification.adder import Adder
from peabench.certification.frequencies import FORMS, outside, refuted, worst_claim
from peabench.domain import ProductDomain
from peabench.fourier import all_pairs
from peabench.mechanism import AlgorithmClaim, Hypothesis, Mechanism
from peabench.networks import ResidualMLP, ResidualMLPConfig, build_network
from peabench_tasks.modular.mechanism import causal_model, explain, key_frequencies, rival_sets
from peabench_tasks.modular.training import subgroups

MODULUS = 17
KEYS = (2, 3)
DOMAIN = ProductDomain(sizes=(MODULUS, MODULUS))
PHASES = 12
"""Neurons of each frequency: in pairs of opposite sign, which cancel the squares of one token, at 6 phases."""
CONFIG = ResidualMLPConfig(
    n_inputs=2,
    d_model=4 * MODULUS,
    n_blocks=1,
    n_units=1,
    d_hidden=len(KEYS) * PHASES * 2,
    d_output=MODULUS,
    words=((0, MODULUS), (MODULUS, MODULUS)),
    activation="square",
)


def by_hand(sign: int) -> ResidualMLP:
    """The closed form written down: for each frequency and phases f and g two neurons, the sum and the difference.

    (cos(wa + f) + cos(wb + g))^2 - (cos(wa + f) - cos(wb + g))^2 is 4 cos(wa + f) cos(wb + g), of which the part
    2 cos(w(a + b) + f + g) is read out; over the phases the other part adds up to nothing.
    """
    network = ResidualMLP(CONFIG)
    state = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    state["w_embed"][:, : 2 * MODULUS] = torch.eye(2 * MODULUS)
    state["w_output"][2 * MODULUS : 3 * MODULUS] = torch.eye(MODULUS)
    numbers = torch.arange(MODULUS).double()
    turns = torch.arange(PHASES).double() * 2 * torch.pi / PHASES
    places = product(KEYS, turns, (1, -1))
    for neuron, (key, turn, half) in enumerate(places):
        angle = 2 * torch.pi * key * numbers / MODULUS
        other = 2 * turn  # any phase that runs over the circle as often, so that unwanted parts cancel
        state["block0.w_in"][0, :MODULUS, neuron] = torch.cos(angle + turn).float()
        state["block0.w_in"][0, MODULUS : 2 * MODULUS, neuron] = half * torch.cos(sign * angle + sign * other).float()
        written = half * torch.cos(angle + turn + sign * other)
        state["block0.w_out"][0, neuron, 2 * MODULUS : 3 * MODULUS] = written.float()
    network.load_state_dict(state)
    return network.requires_grad_(False)


def claim(adder: Adder, frequencies: Sequence[int], rivals: Sequence[tuple[int, ...]] = ()) -> Mechanism:
    def hypothesis(some: Sequence[int], *, holds: bool) -> Hypothesis:
        return Hypothesis(
            name="-".join(["frequencies", *map(str, some)]),
            kind="frequencies",
            description="by these",
            holds=holds,
            level="implementation",
            frequencies=tuple(some),
        )

    hypotheses = (hypothesis(frequencies, holds=True), *(hypothesis(some, holds=False) for some in rivals))
    return Mechanism(
        provenance="derived",
        tolerance=0.04,
        causal_model=causal_model(MODULUS, adder.sign),
        algorithm=AlgorithmClaim(hypotheses=hypotheses),
    )


def checks_of(network: ResidualMLP, mechanism: Mechanism, halfway: ResidualMLP | None = None) -> dict[str, Check]:
    twin = build_network(CONFIG, torch.Generator().manual_seed(5)).requires_grad_(False)
    return {check.name: check for check in certify_network(network, mechanism, DOMAIN, twin, halfway)}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_causal_model_is_the_sum_or_the_difference(sign: int) -> None:
    model = causal_model(7, sign)
    values = model.run(model.read_inputs(all_pairs(7)))[model.output].tolist()
    assert values == [(a + sign * b) % 7 for a in range(7) for b in range(7)]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_network_written_down_by_its_closed_form_is_certified(sign: int) -> None:
    network = by_hand(sign)
    adder = Adder.of(network, MODULUS, sign)
    assert adder.wrong(adder.logits) == 0
    assert key_frequencies(adder) == KEYS
    mechanism = explain(adder, None, (2,), [], seed=0)
    checks = checks_of(network, mechanism, network)
    assert set(checks) >= {"behaviour", "restricted", "excluded", "phases", "closed form", "neuron phases", "rivals"}
    assert [check.name for check in checks.values() if not check.passed] == []
    assert checks["closed form"].recorded["share of the logits' variance, sum of cosines"] > 0.999
    assert checks["neuron phases"].errors == 0
    assert checks["rivals"].cases == 2 * 2 + 1


@pytest.mark.parametrize("claimed", [(2,), (2, 4), (2, 3, 4), (1, 5)])
def test_a_false_set_of_frequencies_is_not_certified(claimed: tuple[int, ...]) -> None:
    network = by_hand(1)
    adder = Adder.of(network, MODULUS, 1)
    checks = checks_of(network, claim(adder, claimed, [KEYS]))
    failed = {name for name, check in checks.items() if not check.passed}
    assert failed & {"restricted", "excluded", "phases"}
    assert "rivals" in failed  # for the rival of the claim is the truth


def test_a_frequency_that_is_needed_and_not_claimed_is_found() -> None:
    network = by_hand(1)
    network.block(0).w_out[0, CONFIG.d_hidden // 2 :] *= -0.01  # the second frequency only disturbs, by a little
    adder = Adder.of(network, MODULUS, 1)
    assert adder.wrong(adder.logits) == 0
    assert checks_of(network, claim(adder, KEYS[:1]))["unclaimed"].passed
    assert not checks_of(network, claim(adder, KEYS[1:]))["unclaimed"].passed


def test_phases_that_do_not_add_up_are_found() -> None:
    network = by_hand(1)
    adder = Adder.of(network, MODULUS, 1)
    off = network.block(0).w_out[0].roll(5, 0)
    network.block(0).w_out.copy_(off[None])
    checks = checks_of(network, claim(adder, KEYS))
    assert not checks["neuron phases"].passed


def test_a_mechanism_that_still_moved_is_not_settled() -> None:
    network = by_hand(1)
    halfway = by_hand(1)
    halfway.block(0).w_out[0, : CONFIG.d_hidden // 2] *= 3
    adder = Adder.of(network, MODULUS, 1)
    assert checks_of(network, claim(adder, KEYS), network)["settled"].passed
    assert not checks_of(network, claim(adder, KEYS), halfway)["settled"].passed


def test_rival_sets_are_a_cube_of_which_no_corner_is_special() -> None:
    adder = Adder.of(by_hand(1), MODULUS, 1)
    sizes = set()
    for seed in range(12):
        sets = rival_sets(adder, KEYS, None, (3,), [(1, 4)], torch.Generator().manual_seed(seed))
        assert KEYS in sets
        assert len(set(sets)) == 6
        neighbours = [sorted(len(set(one) ^ set(other)) for other in sets) for one in sets]
        assert all(some == neighbours[0] for some in neighbours)
        sizes.add(tuple(sorted(map(len, sets))))
        for some in sets:
            assert refuted(worst_claim(adder, some, None)) == (some != KEYS)
    assert len(sizes) > 1  # a key frequency may be what is missing, or one too many what is there


def test_the_ranges_of_the_forms_exclude_each_other() -> None:
    clock = {"gradient symmetricity": 0.45, "distance irrelevance": 0.83, "wrong with even attention": 0.5}
    pizza = {"gradient symmetricity": 0.994, "distance irrelevance": 0.22, "wrong with even attention": 0.0}
    for metrics, own in ((clock, "clock"), (pizza, "pizza")):
        assert [form for form in FORMS if outside(metrics, form) == 0] == [own]


def test_subgroups_are_the_multiples_of_divisors() -> None:
    assert subgroups(35) == [(5, 10, 15), (7, 14)]
    assert subgroups(31) == []
