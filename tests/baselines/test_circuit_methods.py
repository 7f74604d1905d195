"""Every method for the track `circuits` keeps the contract, and finds what it can find."""

from copy import deepcopy
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from tests.tracks import gates

from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.networks import Transformer, TransformerConfig, build_network
from peabench.networks.gauge import random_gauge
from peabench.networks.network import Network
from peabench.scorers import Scorer
from peabench.tasks import Task
from peabench.tracks.circuits import TRACK, CircuitAnswer, CircuitQuestion
from peabench.tracks.trivial_edges import can_matter
from peabench_baselines.circuits import mask_training
from peabench_baselines.circuits.acdc import ACDC
from peabench_baselines.circuits.attribution_patching import AttributionPatching
from peabench_baselines.circuits.base_margin import base_margin
from peabench_baselines.circuits.composition_routes import CompositionRoutes
from peabench_baselines.circuits.composition_score import CompositionScore
from peabench_baselines.circuits.eap import EAP
from peabench_baselines.circuits.eap_ig import EAPIG
from peabench_baselines.circuits.eap_ig_activations import EAPIGActivations
from peabench_baselines.circuits.edge_pruning import EdgePruning
from peabench_baselines.circuits.exact_patching import PAIRS, ExactPatching
from peabench_baselines.circuits.gradient_activation import GradientActivation
from peabench_baselines.circuits.head_confidence import HeadConfidence
from peabench_baselines.circuits.head_importance import HeadImportance
from peabench_baselines.circuits.information_flow_routes import InformationFlowRoutes
from peabench_baselines.circuits.integrated_gradients import IntegratedGradients
from peabench_baselines.circuits.live_routes import LiveRoutes
from peabench_baselines.circuits.random_edges import RandomEdges
from peabench_baselines.circuits.subnetwork_probing import SubnetworkProbing
from peabench_baselines.circuits.uniform_gradient_sampling import UniformGradientSampling
from peabench_baselines.circuits.weight_norm import WeightNorm

METHODS: list[type[Scorer[CircuitQuestion, CircuitAnswer]]] = [
    ACDC, AttributionPatching, CompositionRoutes, CompositionScore, EAP, EAPIG, EAPIGActivations, EdgePruning,
    ExactPatching, GradientActivation, HeadImportance, InformationFlowRoutes, LiveRoutes, RandomEdges,
    SubnetworkProbing, UniformGradientSampling, WeightNorm,
]  # fmt: skip
if find_spec("captum"):
    METHODS.append(IntegratedGradients)
INVARIANT = [method for method in METHODS if method not in (RandomEdges, InformationFlowRoutes)]
FIND_THE_CIRCUIT = [ACDC, EAP, EAPIG, EAPIGActivations, EdgePruning, ExactPatching, UniformGradientSampling]


def asked(question: CircuitQuestion, seed: int = 0) -> CircuitQuestion:
    return replace(question, generator=torch.Generator().manual_seed(seed))


def transformer_question() -> CircuitQuestion:
    generator = torch.Generator().manual_seed(0)
    config = TransformerConfig(
        d_vocabulary=5, n_positions=4, d_model=8, n_blocks=2, n_heads=2, d_head=4, d_mlp=6, norm="rms", d_output=5
    )
    network = build_network(config, generator).requires_grad_(False)
    base, source = (torch.randint(5, (32, 4), generator=generator) for _ in range(2))
    return CircuitQuestion(network, base, source, network.graph.edges, network.graph.edge_indices, generator)


def question_with_trivial_edges() -> CircuitQuestion:
    """The same transformer where the last token never changes."""
    question = transformer_question()
    last = torch.tensor([1, 1, 1, 0])
    indices = can_matter(question.network, ProductDomain(sizes=(5, 5, 5, 1))).nonzero()
    graph = question.network.graph
    edges = tuple(f"{graph.readers[reader]} <- {graph.nodes[node]}" for reader, node in indices.tolist())
    assert len(edges) == len(graph.edges) - 4
    return replace(
        question, base=question.base * last, source=question.source * last, edges=edges, edge_indices=indices
    )


@pytest.fixture(params=["gates", "transformer", "trivial"])
def question(request: pytest.FixtureRequest, circuit_question: CircuitQuestion) -> CircuitQuestion:
    asked = {"transformer": transformer_question, "trivial": question_with_trivial_edges}
    return asked[request.param]() if request.param in asked else circuit_question


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_training, "STEPS", 8)


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("method", METHODS)
def test_answers_are_finite_repeatable_and_leave_the_network_alone(
    method: type[Scorer[CircuitQuestion, CircuitAnswer]], question: CircuitQuestion
) -> None:
    before = {key: value.clone() for key, value in question.network.state_dict().items()}
    assert method().applicable(question) is None
    scores = method().score(asked(question)).scores
    assert scores.shape == (len(question.edges),)
    assert bool(torch.isfinite(scores).all())
    assert not scores.requires_grad
    assert len(scores.unique()) > 2
    assert torch.equal(scores, method().score(asked(question)).scores)
    assert all(torch.equal(value, before[key]) for key, value in question.network.state_dict().items())


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("method", INVARIANT)
def test_no_gauge_changes_a_score(
    method: type[Scorer[CircuitQuestion, CircuitAnswer]], question: CircuitQuestion
) -> None:
    network, _ = random_gauge(question.network, torch.Generator().manual_seed(4))
    one = method().score(asked(question)).scores
    two = method().score(replace(asked(question), network=network)).scores
    trained = method in (EdgePruning, SubnetworkProbing, UniformGradientSampling)  # Adam makes much of rounding
    assert float((one - two).abs().max()) < (2e-2 if trained else 1e-3) * float(one.abs().max())


@pytest.mark.parametrize("method", FIND_THE_CIRCUIT)
def test_methods_that_patch_find_the_circuit(
    method: type[Scorer[CircuitQuestion, CircuitAnswer]], gates_task: Task, circuit_question: CircuitQuestion
) -> None:
    metrics = TRACK.grade(gates_task, 0, circuit_question, method().score(asked(circuit_question)))
    assert metrics["score"] == pytest.approx(1)
    assert metrics["faithful_size"] == 1


def test_weights_meet_in_the_noise_too(gates_task: Task, circuit_question: CircuitQuestion) -> None:
    metrics = TRACK.grade(gates_task, 0, circuit_question, WeightNorm().score(asked(circuit_question)))
    assert metrics["score"] < 0.5


def test_the_margin_of_one_logit_has_the_sign_of_the_base_run(circuit_question: CircuitQuestion) -> None:
    network, base = circuit_question.network, circuit_question.base[:50]
    logits = network(base)
    assert torch.allclose(base_margin(network, base)(logits), logits[:, -1, 0].abs())
    assert torch.allclose(base_margin(network, base)(-logits), -logits[:, -1, 0].abs())


def test_the_margin_of_many_logits_is_that_of_the_predicted_one() -> None:
    question = transformer_question()
    logits = question.network(question.base)
    last = logits[:, -1]
    expected = last.max(-1).values - last.mean(-1)
    assert torch.allclose(base_margin(question.network, question.base)(logits), expected, atol=1e-5)


def test_exact_patching_is_one_hook_per_edge_into_the_output(circuit_question: CircuitQuestion) -> None:
    """What `output` reads is a sum, so that patching an edge into it is adding a difference there."""
    network = circuit_question.network
    base, source = circuit_question.base[:PAIRS], circuit_question.source[:PAIRS]
    scores = dict(
        zip(circuit_question.edges, ExactPatching().score(asked(circuit_question)).scores.tolist(), strict=True)
    )
    for node in network.graph.nodes:
        change = (output_of(network, node, source) - output_of(network, node, base)) @ network.get_parameter("w_output")
        assert scores[f"output <- {node}"] == pytest.approx(float(change.abs().mean()), rel=1e-4, abs=1e-5)


def output_of(network: Network, node: str, rows: torch.Tensor) -> torch.Tensor:
    found: list[torch.Tensor] = []
    handle = network.get_submodule(node).register_forward_hook(lambda module, arguments, out: found.append(out))
    network(rows)
    handle.remove()
    return found[0]


def test_weight_norm_of_an_edge_written_out(circuit_question: CircuitQuestion) -> None:
    scores = dict(zip(circuit_question.edges, WeightNorm().score(circuit_question).scores.tolist(), strict=True))
    network = circuit_question.network
    embed, out = network.get_parameter("w_embed"), network.get_parameter("w_output")
    assert scores["output <- input2"] == pytest.approx(float((embed[2] @ out).norm()))
    # the conjunction's two neurons: one reads x0 + x1 and writes 2, the other is constant
    assert scores["block0.unit1 <- input0"] == pytest.approx(2)
    assert scores["output <- block1.unit0"] == pytest.approx(4 * (2 * 2**0.5) * 2**0.5)
    assert scores["block1.unit0 <- block0.unit1"] == pytest.approx(2 * 2**0.5 * 2 * 2**0.5)


def test_the_composition_score_of_an_edge_written_out(circuit_question: CircuitQuestion) -> None:
    scores = dict(zip(circuit_question.edges, CompositionScore().score(circuit_question).scores.tolist(), strict=True))
    embed = circuit_question.network.get_parameter("w_embed")[2]
    out = circuit_question.network.get_parameter("w_output")
    assert scores["output <- input2"] == pytest.approx(float((embed @ out).norm() / (embed.norm() * out.norm())))
    # one direction is written and the same one read: nothing is lost
    assert scores["output <- block1.unit0"] == pytest.approx(1)
    # the unit reads x0 and x1 alike, and one of them is written
    assert scores["block0.unit1 <- input0"] == pytest.approx(0.5**0.5)
    assert min(scores.values()) >= 0
    assert max(scores.values()) <= 1 + 1e-6


def test_composition_routes_are_no_better_than_the_worst_edge_on_their_way(circuit_question: CircuitQuestion) -> None:
    local, route = (method().score(circuit_question).scores for method in (CompositionScore, CompositionRoutes))
    assert bool((route <= local).all())
    onward = {edge: float(score) for edge, score in zip(circuit_question.edges, route, strict=True)}
    for edge, score in onward.items():
        node = edge.split(" <- ")[0].split(".q")[0]
        ways = [onward[next_edge] for next_edge in onward if next_edge.endswith(f" <- {node}")]
        assert node == "output" or score <= max(ways)


def by_edge(method: type[Scorer[CircuitQuestion, CircuitAnswer]], question: CircuitQuestion) -> dict[str, float]:
    return dict(zip(question.edges, method().score(question).scores.tolist(), strict=True))


def test_live_routes_leave_out_units_whose_biases_are_far_down(circuit_question: CircuitQuestion) -> None:
    network = deepcopy(circuit_question.network)
    awake = by_edge(LiveRoutes, replace(circuit_question, network=network))
    assert awake["output <- block1.unit0"] > 0
    network.get_submodule("block1").get_parameter("b_in")[0] = -50
    asleep = by_edge(LiveRoutes, replace(circuit_question, network=network))
    assert {edge for edge in awake if "block1.unit0" in edge and asleep[edge] > 0} == set()
    assert by_edge(CompositionRoutes, replace(circuit_question, network=network))["output <- block1.unit0"] > 0


@pytest.mark.parametrize("asleep", ["block0.head1", "block0.mlp"])
def test_live_routes_leave_out_heads_that_sink_and_dead_mlps(asleep: str) -> None:
    question = transformer_question()
    network = deepcopy(question.network)
    awake = by_edge(LiveRoutes, replace(question, network=network))
    attention, mlp = network.get_submodule("block0.attention"), network.get_submodule("block0.mlp")
    with torch.no_grad():
        if asleep.endswith("mlp"):
            mlp.get_parameter("b_in").sub_(50)
        else:
            first = network.get_parameter("w_position")[0] + network.get_parameter("w_embed").mean(0)
            direction = torch.eye(4)[0] * 30
            attention.get_parameter("b_qkv")[1, 0] += direction
            attention.get_parameter("w_qkv")[1, 1] += torch.outer(first / first.square().sum(), direction)
    found = by_edge(LiveRoutes, replace(question, network=network))
    from_it = [edge for edge in found if edge.endswith(f" <- {asleep}")]
    assert from_it
    assert max(found[edge] for edge in from_it) == 0
    assert min(awake[edge] for edge in from_it) > 0


@torch.no_grad()
def test_live_routes_to_the_output_are_cosines_times_roots_of_effects() -> None:
    """Of the tokens, from the definition: what they vary by W, what the output reads R, |W R| / (|W| |R|)."""
    question = transformer_question()
    network = question.network
    tokens, output = network.get_parameter("w_embed"), network.get_parameter("w_output")
    writes = (tokens - tokens.mean(0)) / len(tokens) ** 0.5
    reads = output - output.mean(1, keepdim=True)
    effect = (writes @ reads).norm() / reads.norm()
    expected = effect / writes.norm() * effect.sqrt()
    assert by_edge(LiveRoutes, question)["output <- embed"] == pytest.approx(float(expected), rel=1e-4)


@torch.no_grad()
def test_live_routes_do_not_count_what_nobody_reads() -> None:
    """A head writes as it likes in a direction that has no reader; followed edge by edge it is another head then."""
    question = transformer_question()
    network = deepcopy(question.network)
    network.get_parameter("w_output")[0] = 0
    for block in range(2):
        network.get_submodule(f"block{block}.attention").get_parameter("w_qkv")[:, :, 0] = 0
        network.get_submodule(f"block{block}.mlp").get_parameter("w_in")[0] = 0
    before = [by_edge(method, replace(question, network=network)) for method in (LiveRoutes, CompositionRoutes)]
    network.get_submodule("block0.attention").get_parameter("w_o")[0, :, 0] += 5
    after = [by_edge(method, replace(question, network=network)) for method in (LiveRoutes, CompositionRoutes)]
    assert after[0] == pytest.approx(before[0], rel=1e-4, abs=1e-6)
    assert after[1] != pytest.approx(before[1], rel=1e-1, abs=1e-6)


@torch.no_grad()
def test_live_routes_end_where_nothing_is_passed_on() -> None:
    question = transformer_question()
    network = deepcopy(question.network)
    network.get_submodule("block1.attention").get_parameter("w_o")[1] = 0
    found = by_edge(LiveRoutes, replace(question, network=network))
    into_it = [edge for edge in found if edge.startswith("block1.head1.")]
    assert into_it
    assert max(found[edge] for edge in into_it) < 1e-6
    assert min(score for edge, score in found.items() if edge.startswith("block1.head0.")) > 1e-6


def test_random_scores_depend_on_the_generator_alone(circuit_question: CircuitQuestion) -> None:
    one, two = (RandomEdges().score(asked(circuit_question, seed)).scores for seed in (0, 1))
    assert not torch.equal(one, two)


def test_the_circuit_is_the_one_written_down(circuit_question: CircuitQuestion) -> None:
    assert set(gates.REQUIRED) < set(circuit_question.edges)


def test_head_confidence_is_the_mean_of_the_largest_weights_of_attention(circuit_question: CircuitQuestion) -> None:
    assert HeadConfidence().applicable(circuit_question) == "The network has no attention to look at."
    question = transformer_question()
    network = question.network
    assert isinstance(network, Transformer)
    assert HeadConfidence().applicable(question) is None
    scores = dict(zip(question.edges, HeadConfidence().score(question).scores.tolist(), strict=True))
    confidence = []
    for number in range(network.config.n_blocks):
        block = network.block(number)
        stage = network.graph.first_stage_of_block(number)
        read = block.norm_attention(run_with_cache(network, question.base).stage_inputs[stage])
        for head in range(network.config.n_heads):
            weights, biases = block.attention.w_qkv[head], block.attention.b_qkv[head]
            q, k = (read @ weights[i] + biases[i] for i in range(2))
            logits = (q @ k.transpose(1, 2) / network.config.d_head**0.5).masked_fill(
                torch.ones(4, 4).triu(1) > 0, -1e9
            )
            confidence.append(float(logits.softmax(-1).max(-1).values.mean()))
    mean = sum(confidence) / len(confidence)
    assert scores["output <- block0.head1"] == pytest.approx(confidence[1], abs=1e-5)
    assert scores["block1.head0.q <- block0.head1"] == pytest.approx(min(confidence[1], confidence[2]), abs=1e-5)
    assert scores["output <- block1.mlp"] == pytest.approx(mean, abs=1e-5)
    regauged, _ = random_gauge(network, torch.Generator().manual_seed(4))
    again = HeadConfidence().score(replace(question, network=regauged)).scores
    assert torch.allclose(again, torch.tensor(list(scores.values())), atol=1e-4)
