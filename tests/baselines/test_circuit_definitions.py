"""Each method against its definition, written out here from the papers: one edge, node, mask or threshold at a time."""

import math
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from brute_force import agree, forward_edges, node_outputs
from random_networks import inputs_of, network_of
from torch import Tensor

from peabench.networks import Network, NetworkConfig, ResidualMLPConfig, TransformerConfig
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits import mask_training
from peabench_baselines.circuits.acdc import ACDC, THRESHOLDS
from peabench_baselines.circuits.attribution_patching import AttributionPatching
from peabench_baselines.circuits.divergence import divergence
from peabench_baselines.circuits.eap_ig_activations import EAPIGActivations
from peabench_baselines.circuits.edge_pruning import EdgePruning
from peabench_baselines.circuits.exact_patching import ExactPatching
from peabench_baselines.circuits.gradient_activation import GradientActivation
from peabench_baselines.circuits.head_importance import HeadImportance
from peabench_baselines.circuits.information_flow_routes import InformationFlowRoutes
from peabench_baselines.circuits.integrated_gradients import IntegratedGradients
from peabench_baselines.circuits.subnetwork_probing import SubnetworkProbing
from peabench_baselines.circuits.uniform_gradient_sampling import UniformGradientSampling

CONFIGS: dict[str, NetworkConfig] = {
    "residual_mlp": ResidualMLPConfig(n_inputs=4, d_model=8, n_blocks=3, n_units=2, d_hidden=5),
    "transformer": TransformerConfig(
        d_vocabulary=5, n_positions=3, d_model=8, n_blocks=2, n_heads=2, d_head=3, d_mlp=7, norm="rms", d_output=4
    ),
    "bidirectional": TransformerConfig(
        d_vocabulary=5,
        n_positions=3,
        d_model=8,
        n_blocks=2,
        n_heads=2,
        d_head=3,
        causal=False,
        norm="layer",
        d_output=1,
    ),
}


@pytest.fixture(params=CONFIGS)
def question(request: pytest.FixtureRequest) -> CircuitQuestion:
    network = network_of(CONFIGS[request.param], 3)
    base, source = (inputs_of(network, 24, seed) for seed in (1, 2))
    generator = torch.Generator().manual_seed(0)
    return CircuitQuestion(network, base, source, network.graph.edges, network.graph.edge_indices, generator)


def answer(method: type[Scorer[CircuitQuestion, CircuitAnswer]], question: CircuitQuestion) -> Tensor:
    return method().score(replace(question, generator=torch.Generator().manual_seed(0))).scores


def margin(question: CircuitQuestion) -> Callable[[Tensor], Tensor]:
    """The logit predicted on the base less the mean of all, at the last position; a single logit with its base sign."""
    last = question.network(question.base)[:, -1]
    if last.shape[1] == 1:
        return lambda logits: logits[:, -1, 0] * last[:, 0].sign()
    top = last.argmax(1)
    return lambda logits: logits[torch.arange(len(top)), -1, top] - logits[:, -1].mean(1)


def loss(question: CircuitQuestion, cut: Tensor, rows: slice | Tensor = slice(None)) -> Tensor:
    """Mean divergence of the prediction from the whole network's with some edges (or shares of them) resampled."""
    network = question.network
    logits = forward_edges(network, question.base[rows], cut, written(network, question.source)[:, rows])
    return kullback_leibler(network(question.base[rows])[:, -1], logits[:, -1]).mean()


def kullback_leibler(whole: Tensor, patched: Tensor) -> Tensor:
    if whole.shape[-1] == 1:
        p, q = whole.sigmoid(), patched.sigmoid()
        return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(-1)
    p, q = whole.softmax(-1), patched.softmax(-1)
    return (p * (p / q).log()).sum(-1)


def written(network: Network, inputs: Tensor) -> Tensor:
    seen = node_outputs(network, inputs)
    return torch.stack([seen[name] for name in network.graph.nodes])


def no_cut(network: Network) -> Tensor:
    return torch.zeros(network.graph.exists.shape)


def ends(edge: str) -> tuple[str, str]:
    """The node that reads and the node that is read."""
    reader, node = edge.split(" <- ")
    return reader.removesuffix(".q").removesuffix(".k").removesuffix(".v"), node


def lesser_end(question: CircuitQuestion, importance: dict[str, float]) -> Tensor:
    return torch.tensor([min(importance.get(end, math.inf) for end in ends(edge)) for edge in question.edges])


def test_the_divergence_is_that_of_the_two_predictions(question: CircuitQuestion) -> None:
    whole, other = question.network(question.base), question.network(question.source)
    agree(divergence(other[None], whole)[0], kullback_leibler(whole[:, -1], other[:, -1]))
    assert float(divergence(whole, whole).abs().max()) < 1e-6


def test_exact_patching_is_path_patching_with_all_other_nodes_frozen(question: CircuitQuestion) -> None:
    """The sender's value on the source reaches one receiver; senders are patched one at a time, as the edges are."""
    measure, network = margin(question), question.network
    theirs = written(network, question.source)
    expected = []
    for edge in question.edges:
        mask = no_cut(network)
        mask[network.graph.edge_index(edge)] = 1
        patched = forward_edges(network, question.base, mask, theirs)
        expected.append((measure(patched) - measure(network(question.base))).abs().mean())
    agree(answer(ExactPatching, question), torch.stack(expected))


def test_gradient_activation_is_a_mask_towards_zero(question: CircuitQuestion) -> None:
    mask = no_cut(question.network).requires_grad_()
    logits = forward_edges(
        question.network, question.base, mask, torch.zeros_like(written(question.network, question.base))
    )
    gradient = torch.autograd.grad(margin(question)(logits).mean(), mask)[0]
    agree(answer(GradientActivation, question), gradient[tuple(question.edge_indices.T)].abs())


def test_head_importance_is_the_derivative_by_a_mask_on_each_node_of_each_input(question: CircuitQuestion) -> None:
    network, importance = question.network, {}
    for name in network.graph.nodes:
        scale = torch.ones(len(question.base), 1, 1, requires_grad=True)
        handle = network.get_submodule(name).register_forward_hook(lambda module, inputs, output, by=scale: output * by)
        value = margin(question)(network(question.base)).sum()
        handle.remove()
        importance[name] = float(torch.autograd.grad(value, scale)[0].abs().mean())
    agree(answer(HeadImportance, question), lesser_end(question, importance))


def test_attribution_patching_is_the_derivative_by_a_step_of_each_input_towards_its_source_at_each_node(
    question: CircuitQuestion,
) -> None:
    network, importance = question.network, {}
    ours, theirs = (node_outputs(network, inputs) for inputs in (question.base, question.source))
    for name in network.graph.nodes:
        step = torch.zeros(len(question.base), 1, 1, requires_grad=True)
        change = theirs[name] - ours[name]
        handle = network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, by=step, change=change: output + by * change
        )
        value = margin(question)(network(question.base)).sum()
        handle.remove()
        importance[name] = float(torch.autograd.grad(value, step)[0].abs().mean())
    agree(answer(AttributionPatching, question), lesser_end(question, importance))


def test_eap_ig_activations_interpolates_one_layer_at_a_time(question: CircuitQuestion) -> None:
    """As the authors' library: gradients at all reads, for each layer's nodes held between base and source by hooks."""
    network, total, runs = question.network, no_cut(question.network), 0
    ours, theirs = (node_outputs(network, inputs) for inputs in (question.base, question.source))
    change = torch.stack([theirs[name] - ours[name] for name in network.graph.nodes])
    layers = [range(network.graph.n_embedding_nodes), *(stage.nodes for stage in network.graph.stages)]
    measure = margin(question)
    for layer in layers:
        for step in range(5):
            held = {
                network.graph.nodes[i]: torch.lerp(
                    ours[network.graph.nodes[i]], theirs[network.graph.nodes[i]], step / 5
                )
                for i in layer
            }
            gradients = read_gradients(network, question.base, held, measure)
            total += torch.einsum("rbpd,nbpd->rn", gradients, change)
            runs += 1
    expected = total[tuple(question.edge_indices.T)] / runs / len(question.base)
    agree(answer(EAPIGActivations, question), expected.abs())


def read_gradients(
    network: Network, inputs: Tensor, held: dict[str, Tensor], measure: Callable[[Tensor], Tensor]
) -> Tensor:
    """Gradient of the summed metric at each reader's own read, with some nodes' outputs held by hooks."""
    pushes = torch.zeros(len(network.graph.readers), len(inputs), network.graph.n_positions, network.config.d_model)
    pushes.requires_grad_()
    resid = network.start(torch.stack([
        held.get(name, value)
        for name, value in zip(network.graph.nodes, network.embedding_nodes(inputs), strict=False)
    ]))  # fmt: skip
    for index, stage in enumerate(network.graph.stages):
        outputs = network.stage(index, resid[None] + pushes[stage.readers.start : stage.readers.stop])
        names = [network.graph.nodes[i] for i in stage.nodes]
        resid = network.advance(
            index, resid, torch.stack([held.get(n, o) for n, o in zip(names, outputs, strict=True)])
        )
    value = measure(network.unembed(resid + pushes[-1])).sum()
    return torch.autograd.grad(value, pushes)[0]


def test_acdc_tests_one_edge_after_another(question: CircuitQuestion) -> None:
    network = question.network
    everything = float(loss(question, network.graph.exists.float()))
    expected = torch.zeros(len(question.edges))
    for number, share in enumerate(THRESHOLDS):
        cut, before = no_cut(network), 0.0
        for edge in reversed(range(len(question.edges))):
            place = tuple(question.edge_indices[edge].tolist())
            cut[place] = 1
            after = float(loss(question, cut))
            if after - before < share * everything:
                before = after
            else:
                cut[place] = 0
                expected[edge] = number + 1
    assert len(expected.unique()) > 2
    assert torch.equal(answer(ACDC, question), expected)


def test_information_flow_routes_are_followed_from_the_output_threshold_by_threshold(question: CircuitQuestion) -> None:
    network = question.network
    importance = flow(network, question.base)
    expected = dict.fromkeys(question.edges, 0.0)
    for threshold in sorted(set(importance.values())):
        reached, grown = {"output"}, True
        while grown:
            on = [edge for edge in question.edges if importance[edge] >= threshold and ends(edge)[0] in reached]
            grown = not {ends(edge)[1] for edge in on} <= reached
            reached |= {ends(edge)[1] for edge in on}
        expected.update(dict.fromkeys(on, threshold))
    agree(answer(InformationFlowRoutes, question), torch.tensor(list(expected.values())))


def flow(network: Network, inputs: Tensor) -> dict[str, float]:
    """max(0, |read| - |read - node|) in the 1-norm over its sum, averaged over inputs and positions that matter."""
    outputs = node_outputs(network, inputs)
    found = {}
    for reader, name in enumerate(network.graph.readers):
        seen = [outputs[node] for node in network.graph.nodes[: int(network.graph.visible[reader])]]
        read = reads(network, inputs)[reader]
        near = torch.stack([(read.abs().sum(-1) - (read - node).abs().sum(-1)).clamp(min=0) for node in seen])
        share = torch.nan_to_num(near / near.sum(0)).mean(1)
        places = matter(network, name)
        for node, of_node in zip(network.graph.nodes, share, strict=False):
            found[f"{name} <- {node}"] = float(of_node[places].mean())
    return found


def reads(network: Network, inputs: Tensor) -> list[Tensor]:
    """What each reader reads."""
    resid, found = network.start(network.embedding_nodes(inputs)), []
    for index, stage in enumerate(network.graph.stages):
        found += [resid] * len(stage.readers)
        resid = network.advance(index, resid, network.stage(index, resid[None]))
    return [*found, resid]


def matter(network: Network, reader: str) -> list[int]:
    """Positions of a read that change the last output for some inputs, found by pushing each."""
    inputs = inputs_of(network, 16, 9)
    index = network.graph.readers.index(reader)
    pushes = torch.zeros(len(network.graph.readers), len(inputs), network.graph.n_positions, network.config.d_model)
    pushes.requires_grad_()
    resid = network.start(network.embedding_nodes(inputs))
    for number, stage in enumerate(network.graph.stages):
        outputs = network.stage(number, resid[None] + pushes[stage.readers.start : stage.readers.stop])
        resid = network.advance(number, resid, outputs)
    last = network.unembed(resid + pushes[-1])[:, -1]
    gradient = torch.autograd.grad((last * torch.randn(last.shape)).sum(), pushes)[0][index]
    return [position for position in range(network.graph.n_positions) if bool(gradient[:, position].abs().max() > 1e-9)]


@pytest.mark.skipif(find_spec("captum") is None, reason="captum is not installed")
def test_integrated_gradients_are_the_integral_along_the_masks(question: CircuitQuestion) -> None:
    network, theirs = question.network, written(question.network, question.source)
    total = no_cut(question.network)
    for point, weight in zip(*np.polynomial.legendre.leggauss(8), strict=True):
        mask = torch.full_like(total, (point + 1) / 2).requires_grad_()
        value = margin(question)(forward_edges(network, question.base, mask, theirs)).mean()
        total += torch.autograd.grad(value, mask)[0] * weight / 2
    agree(answer(IntegratedGradients, question), total[tuple(question.edge_indices.T)].abs())


def test_integrated_gradients_decline_without_captum(
    question: CircuitQuestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peabench_baselines.circuits.integrated_gradients.find_spec", lambda name: None)
    assert "captum" in (IntegratedGradients().applicable(question) or "")


def hard_concrete(log_alpha: Tensor, noise: Tensor) -> Tensor:
    stretched = torch.sigmoid((torch.log(noise) - torch.log(1 - noise) + log_alpha) / (2 / 3)) * 1.2 - 0.1
    return torch.clamp(stretched, 0, 1)


def kept_probability(log_alpha: Tensor) -> Tensor:
    return torch.sigmoid(log_alpha - 2 / 3 * math.log(0.1 / 1.1))


def uniform_or_not(logit: Tensor, noise: Tensor) -> Tensor:
    p = logit.sigmoid()
    window = (p * (1 - p)).detach()
    return 1 - ((noise - p) / window + 0.5).clamp(0, 1)


Price = Callable[[Tensor, Tensor, int, float], Tensor]


def trained(
    question: CircuitQuestion, start: float, variants: int, parts: Tensor, draw: Callable[..., Tensor], price: Price
) -> Tensor:
    """Masks trained one variant and one mask at a time, with the same noise."""
    network, generator = question.network, torch.Generator().manual_seed(0)
    count = int(parts.max()) + 1
    parameters = torch.full((variants, count), start, requires_grad=True)
    multipliers = torch.zeros(variants, 2, requires_grad=True)
    optimiser = torch.optim.Adam([parameters, multipliers], lr=0.15)
    unit = float(loss(question, network.graph.exists.float()))
    for step in range(mask_training.STEPS):
        rows = torch.randint(len(question.base), (32,), generator=generator)
        noise = torch.rand(variants, 2, count, generator=generator)
        total = torch.zeros(())
        for variant in range(variants):
            for sample in range(2):
                cut = no_cut(network)
                cut[tuple(question.edge_indices.T)] = 1 - draw(parameters[variant], noise[variant, sample])[parts]
                total = total + loss(question, cut, rows) / 2 / unit
            total = total + price(parameters[variant], multipliers[variant], variant, step / mask_training.STEPS)
        optimiser.zero_grad()
        total.backward()
        if multipliers.grad is not None:
            multipliers.grad.neg_()
        optimiser.step()
    return parameters.detach()


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_training, "STEPS", 6)


@pytest.mark.usefixtures("few_steps")
def test_subnetwork_probing_trains_hard_concrete_masks_on_nodes(question: CircuitQuestion) -> None:
    prices = [10**-2.5, 10**-2, 10**-1.5, 10**-1]
    parts = question.edge_indices[:, 1]
    found = trained(question, 2.0, 4, parts, hard_concrete, lambda a, _, i, __: prices[i] * kept_probability(a).sum())
    importance = dict(zip(question.network.graph.nodes, kept_probability(found).mean(0).tolist(), strict=True))
    agree(answer(SubnetworkProbing, question), lesser_end(question, importance), 1e-4)


@pytest.mark.usefixtures("few_steps")
def test_edge_pruning_trains_hard_concrete_masks_on_edges_towards_sizes(question: CircuitQuestion) -> None:
    def lagrangian(log_alpha: Tensor, multipliers: Tensor, variant: int, progress: float) -> Tensor:
        target = 1 + (2.0 ** (variant - 5) - 1) * min(1, progress / 0.8)
        over = kept_probability(log_alpha).mean() - target
        return multipliers[0] * over + multipliers[1] * over**2

    found = trained(question, 2.0, 4, torch.arange(len(question.edges)), hard_concrete, lagrangian)
    agree(answer(EdgePruning, question), kept_probability(found).mean(0), 1e-4)


@pytest.mark.usefixtures("few_steps")
def test_uniform_gradient_sampling_trains_probabilities_of_edges(question: CircuitQuestion) -> None:
    prices = [10**-3, 10**-2.5, 10**-2, 10**-1.5]
    parts = torch.arange(len(question.edges))
    found = trained(question, 1.0, 4, parts, uniform_or_not, lambda a, _, i, __: prices[i] * a.sigmoid().sum())
    agree(answer(UniformGradientSampling, question), found.sigmoid().mean(0), 1e-4)


def test_masks_have_the_distributions_of_the_papers() -> None:
    noise, at = (torch.arange(100_000) + 0.5) / 100_000, torch.tensor(0.7)
    assert float((hard_concrete(at, noise) > 0).float().mean()) == pytest.approx(float(kept_probability(at)), abs=1e-4)
    masks, p = uniform_or_not(at, noise), float(at.sigmoid())
    between = (masks > 0) & (masks < 1)
    assert float(between.float().mean()) == pytest.approx(p * (1 - p), abs=1e-4)
    assert float(masks.mean()) == pytest.approx(p, abs=1e-4)
    middle = masks[between].sort().values
    torch.testing.assert_close(middle, torch.linspace(0, 1, len(middle)), atol=1e-3, rtol=0)
