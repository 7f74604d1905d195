"""Ways in transformers: letters are fetched, gates are taken at one position each, and the certificate sees it."""

from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from peabench.certification import Check, certify_network
from peabench.certification.behaviour import decoy_check
from peabench.certification.hypothesis_search import search
from peabench.certification.rivals import with_models
from peabench.certification.subject import examine
from peabench.certification.subspaces import isolation_check
from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.interventions import run_with_cache
from peabench.live import live_subspaces
from peabench.mechanism import Alignment, Location, Mechanism
from peabench.networks import Transformer
from peabench.networks.config import TransformerConfig
from peabench_tasks.distributive.attending.assembly import GREATEST_SHARE, LEAST_SHARE, assemble, cut, learn_gate
from peabench_tasks.distributive.attending.mechanism import build_mechanism
from peabench_tasks.distributive.attending.plan import Fetch, Plan, bystander, draw_plan
from peabench_tasks.distributive.attending.specifications import Attending
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.margins import MARGIN
from peabench_tasks.units.assembly import Stream
from peabench_tasks.units.lessons import Lesson
from peabench_tasks.ways.hypotheses import claim
from peabench_tasks.ways.placement import STRONG, WEAK

CONFIG = TransformerConfig(
    d_vocabulary=2, n_positions=4, d_model=20, n_blocks=2, n_heads=4, d_head=2, d_mlp=26, d_output=1
)
INPUTS = {"A": "x1", "B": "x0", "C": "x2"}
WAYS = TABLES["and_over_xor"]
DOMAIN = ProductDomain(sizes=(2,) * CONFIG.n_positions)
STEPS = 400


@dataclass(frozen=True)
class Planted:
    plan: Plan

    @cached_property
    def stream(self) -> Stream:
        return cut(self.plan)

    @cached_property
    def lessons(self) -> dict[str, Lesson]:
        generator = generator_of(self.plan.seed)
        return {gate.name: learn_gate(self.plan, gate, generator, steps=STEPS) for gate in self.plan.formula.gates[:-1]}

    @cached_property
    def network(self) -> Transformer:
        return assemble(self.plan, self.lessons, self.stream).requires_grad_(False)

    @cached_property
    def mechanism(self) -> Mechanism:
        return build_mechanism(self.plan, self.stream, claim(WAYS[:2], 1, INPUTS, CONFIG.n_positions))


@pytest.fixture(scope="module")
def planted() -> Planted:
    """The exclusive or of two conjunctions, one of them fetched from an earlier position; that of letters is idle."""
    return Planted(draw_plan(WAYS[1], WAYS[0], WAYS[0], INPUTS, CONFIG, 1))


@pytest.fixture(scope="module")
def checks(planted: Planted) -> dict[str, Check]:
    """The certificate, but for the rivals, on fewer pairs."""
    twin = Transformer(CONFIG, generator_of(99))
    mechanism = planted.mechanism.model_copy(update={"algorithm": None})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peabench.certification.subspaces.COMPLEMENT_PAIRS", 1024)
        patch.setattr("peabench.certification.subspaces.JOINT_ROWS", 64)
        patch.setattr("peabench.certification.edges.COMPLEMENT_ROWS", 1024)
        made = certify_network(planted.network, mechanism, DOMAIN, twin)
    return {check.name: check for check in made}


def attention(network: Transformer, fetch: Fetch) -> Float[Tensor, "row key"]:
    """What a head attends to from the last position."""
    stage = network.graph.first_stage_of_block(fetch.block)
    stream = run_with_cache(network, DOMAIN.all()).stage_inputs[stage]
    weights = network.block(fetch.block).attention
    query, key = (stream @ weights.w_qkv[fetch.head, port] + weights.b_qkv[fetch.head, port] for port in range(2))
    scores = torch.einsum("re,rke->rk", query[:, -1], key) / sqrt(network.config.d_head)
    return scores.softmax(-1)


@pytest.mark.parametrize("specification", list(Attending.listed()), ids=lambda specification: specification.name)
def test_places_fit_what_is_read(specification: Attending) -> None:
    for member in specification.members(0):
        plan = specification.transformer_plan(member)
        assert len({(f.block, f.head) for f in (*plan.fetches, *plan.idle)}) == 10
        for gate in plan.formula.gates:
            block, home = plan.blocks[gate.name], plan.homes[gate.name]
            parents = plan.formula.read[gate.name]
            assert all(plan.homes[parent] <= home for parent in parents)
            assert block == 0 if set(parents) <= set(plan.formula.inputs) and gate.name != "output" else block > 0
            for parent in parents:
                assert parent in plan.blocks or (block, parent) in plan.fetched
                if (block, parent) not in plan.fetched and not bystander(gate.name):
                    assert plan.homes[parent] == home


def test_in_every_task_some_variable_has_to_be_fetched_from_an_earlier_position() -> None:
    for specification in Attending.listed():
        plans = [specification.transformer_plan(member) for member in specification.members(0)]
        assert any(fetch.variable in plan.blocks for plan in plans for fetch in plan.fetches)


def test_strengths_are_those_of_the_profile(planted: Planted) -> None:
    assert planted.plan.strengths == {"g0": WEAK, "g1": WEAK, "b0": STRONG}
    values = planted.plan.formula.run(DOMAIN.all().bool().numpy())
    stream = run_with_cache(planted.network, DOMAIN.all()).stage_inputs[planted.network.graph.first_stage_of_block(1)]
    for name, strength in planted.plan.strengths.items():
        along = stream[:, planted.plan.homes[name]] @ planted.stream.directions(name)[:, 0]
        wanted = strength * (2 * torch.from_numpy(values[name]).float() - 1)
        assert float((along - wanted).abs().max()) < 0.4 * strength


def test_attention_is_soft_and_goes_where_the_plan_says(planted: Planted) -> None:
    for fetch in (*planted.plan.fetches, *planted.plan.idle):
        share = attention(planted.network, fetch)[:, fetch.position]
        assert LEAST_SHARE - 0.1 < float(share.mean()) < GREATEST_SHARE + 0.02
        assert float(share.max()) < 0.98
        assert float(share.std()) > 1e-4


def test_every_logit_is_the_margin_or_its_negative(planted: Planted) -> None:
    logits = planted.network(DOMAIN.all())[:, -1, 0]
    assert torch.allclose(logits.abs(), torch.tensor(MARGIN), atol=1e-3)


def test_the_certificate_passes_and_its_nulls_fail(checks: dict[str, Check]) -> None:
    assert {
        "behaviour", "alignment", "joint alignment", "minimal basis", "edges alone", "edges with complement",
        "sufficiency", "necessity", "alternatives", "isolation", "alignment with complement", "decoys",
    } <= checks.keys()  # fmt: skip
    for check in checks.values():
        assert check.passed, check
        assert check.null is not None
        assert check.null.errors > 0


def test_where_nothing_matters_is_known_at_every_position(planted: Planted) -> None:
    plan, live = planted.plan, live_subspaces(planted.mechanism, planted.network.graph)
    assert {site: basis.shape[1] for site, basis in live.items() if basis.shape[1]} == {
        **{f"resid.0@{plan.homes[name]}": 1 for name in INPUTS.values()},
        **{f"resid.1@{plan.homes[name]}": 1 for name in ("g0", "g1")},
        "resid.2@3": 1,
    }
    assert len(live) == 2 * CONFIG.n_positions + 1


def test_of_a_variable_without_a_place_nothing_is_known(planted: Planted) -> None:
    mechanism, graph = planted.mechanism, planted.network.graph
    one_missing = mechanism.model_copy(update={"alignments": mechanism.alignments[1:]})
    assert live_subspaces(one_missing, graph) == {}
    first, *others = mechanism.alignments
    place = Location(site="resid.0@*", basis=first.location.basis)
    everywhere = mechanism.model_copy(
        update={"alignments": (Alignment(variable=first.variable, location=place), *others)}
    )
    assert live_subspaces(everywhere, graph) == {}


def test_a_place_that_is_left_out_is_missed(planted: Planted) -> None:
    """Isolation sees to it that a position said to hold nothing holds nothing."""
    g0 = planted.mechanism.alignment("g0")
    basis = g0.location.basis
    elsewhere = Alignment(variable="g0", location=Location(site="resid.1@3", basis=basis))
    others = tuple(item for item in planted.mechanism.alignments if item.variable != "g0")
    moved = planted.mechanism.model_copy(update={"alignments": (*others, elsewhere)})
    assert isolation_check(examine(planted.network, moved, DOMAIN)).errors > 0


def test_the_way_is_found_and_no_site_is_searched_where_nothing_matters(planted: Planted) -> None:
    live = live_subspaces(planted.mechanism, planted.network.graph)
    models = [h.causal_model for h in with_models(planted.mechanism.algorithm) if h.causal_model]
    (rival,), way = search(planted.network, models[:2], DOMAIN, 1, live=live)
    assert {found.variable: (found.rate, found.site) for found in way} == {
        name: (0, f"resid.1@{planted.plan.homes[name]}") for name in ("g0", "g1")
    }
    assert rival.rate > 0.1
    nothing = {site: basis[:, :0] if site.startswith("resid.1") else basis for site, basis in live.items()}
    (hidden,) = search(planted.network, models[1:2], DOMAIN, 1, live=nothing)
    assert all(found.site == "resid.2@3" and found.rate > 0.2 for found in hidden)


def test_a_variable_that_is_read_is_no_decoy(planted: Planted) -> None:
    (decoy,) = planted.mechanism.features
    g0 = planted.mechanism.alignment("g0").location
    assert g0.basis is not None
    direction = planted.mechanism.tensor(g0.basis)[:, 0].contiguous()
    read = decoy.model_copy(update={"site": g0.site})
    tensors = {reference.name: planted.mechanism.tensor(reference) for _, reference in planted.mechanism.places()}
    claimed = planted.mechanism.model_copy(update={"features": (read,)}).with_tensors(
        tensors | {decoy.direction.name: direction}
    )
    check = decoy_check(examine(planted.network, claimed, DOMAIN))
    assert check is not None
    assert check.errors > 0


def test_a_head_that_looks_elsewhere_breaks_the_network(planted: Planted) -> None:
    elsewhere = [replace(f, position=(f.position + 1) % CONFIG.n_positions) for f in planted.plan.fetches]
    fetches = tuple(
        other if fetch.variable == "x0" else fetch for fetch, other in zip(planted.plan.fetches, elsewhere, strict=True)
    )
    broken = assemble(replace(planted.plan, fetches=fetches), planted.lessons, planted.stream)
    wrong = (broken(DOMAIN.all())[:, -1, 0] > 0) != (planted.network(DOMAIN.all())[:, -1, 0] > 0)
    assert bool(wrong.any())
