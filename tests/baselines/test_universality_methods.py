"""Every method for the track `universality` keeps the contract; what some of them cannot see, and why."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rival_networks import CONFIG, DOMAIN, network, save_rivals
from scipy.linalg import hadamard
from torch import Tensor

from peabench.conformance import assert_conforms
from peabench.domain import ProductDomain
from peabench.networks import Network, ResidualMLP, ResidualMLPConfig, TransformerConfig, build_network
from peabench.networks.gauge import random_gauge
from peabench.scorers import Scorer
from peabench.tasks import Task
from peabench.tracks.universality import TRACK, UniversalityAnswer, UniversalityQuestion
from peabench_baselines.universality.interchange_transfer import (
    InterchangeTransfer,
    balanced_agreement,
    sensitive_directions,
    subspaces,
    varying,
)
from peabench_baselines.universality.layer_activations import layer_activations
from peabench_baselines.universality.linear_cka import LinearCKA
from peabench_baselines.universality.logit_similarity import LogitSimilarity, beside_the_prediction
from peabench_baselines.universality.neuron_spectra import hidden_neurons, power_spectra
from peabench_baselines.universality.output_agreement import OutputAgreement
from peabench_baselines.universality.procrustes import Procrustes
from peabench_baselines.universality.pwcca import PWCCA
from peabench_baselines.universality.random_similarity import RandomSimilarity
from peabench_baselines.universality.rsa import RSA
from peabench_baselines.universality.spectrum_match import SpectrumMatch
from peabench_baselines.universality.stitching import Stitching, stitched_agreement
from peabench_baselines.universality.streams import different_inputs, fitted_map, streams
from peabench_baselines.universality.svcca import SVCCA
from peabench_baselines.universality.weight_matching import WeightMatching

Method = type[Scorer[UniversalityQuestion, UniversalityAnswer]]
METHODS: list[Method] = [
    InterchangeTransfer, LinearCKA, LogitSimilarity, OutputAgreement, Procrustes, PWCCA, RandomSimilarity, RSA,
    SpectrumMatch, Stitching, SVCCA, WeightMatching,
]  # fmt: skip
INPUTS = DOMAIN.all()


@pytest.fixture(scope="module", params=["factored", "expanded"])
def task(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("rivals"), request.param)


def asked(networks: list[Network], inputs: Tensor = INPUTS, domain: ProductDomain = DOMAIN) -> UniversalityQuestion:
    """About all pairs of some networks."""
    return UniversalityQuestion(
        networks=tuple(networks),
        pairs=torch.combinations(torch.arange(len(networks))),
        domain=domain,
        inputs=inputs,
        draw=0,
        generator=torch.Generator().manual_seed(0),
    )


def similarities(method: Method, *networks: Network) -> dict[tuple[int, int], float]:
    question = asked(list(networks))
    scorer = method()
    assert scorer.applicable(question) is None
    return {
        (i, j): float(x) for (i, j), x in zip(question.pairs.tolist(), scorer.score(question).similarities, strict=True)
    }


def frozen(made: Network) -> Network:
    return made.requires_grad_(False)


def without_noise(made: ResidualMLP) -> ResidualMLP:
    """Without the units that write where nobody reads."""
    with torch.no_grad():
        for block in range(CONFIG.n_blocks):
            for weight in (made.block(block).w_in, made.block(block).b_in, made.block(block).w_out):
                weight[2] = 0
    return made


def regauged(made: Network, seed: int = 0) -> Network:
    return random_gauge(made, torch.Generator().manual_seed(seed))[0]


@pytest.mark.parametrize("method", METHODS)
def test_the_contract_is_kept(method: Method, task: Task) -> None:
    assert_conforms(method, [task.folder])


def test_chance_earns_what_an_order_and_its_reverse_do_on_average(task: Task) -> None:
    question = TRACK.questions(task, 0)[0]
    drawn = torch.rand(len(question.pairs), generator=torch.Generator().manual_seed(0))
    answers = UniversalityAnswer(drawn), UniversalityAnswer(-drawn), RandomSimilarity().score(question)
    one, other, earned = (TRACK.grade(task, 0, question, answer) for answer in answers)
    assert earned == pytest.approx({name: (one[name] + other[name]) / 2 for name in earned})
    assert one["score"] != other["score"]


def test_output_agreement_earns_exactly_nothing(task: Task) -> None:
    question = TRACK.questions(task, 0)[0]
    answer = OutputAgreement().score(question)
    assert answer.similarities.unique().tolist() == [1]
    assert TRACK.grade(task, 0, question, answer) == {"score": 0, "auroc_algorithm": 0.5, "auroc_copies": 0.5}


def test_output_agreement_sees_networks_that_behave_differently() -> None:
    other = network("factored")
    with torch.no_grad():
        other.b_output.add_(100)
    answers = [network("factored")(INPUTS)[:, 0, 0] > 0, other(INPUTS)[:, 0, 0] > 0]
    expected = float((answers[0] == answers[1]).double().mean())
    assert similarities(OutputAgreement, network("factored"), other)[0, 1] == pytest.approx(expected)
    assert expected < 1


def test_logit_similarity_sees_margins_and_not_their_size() -> None:
    made, larger, other = network("factored"), network("factored"), network("factored")
    with torch.no_grad():
        for one, weight in ((made, 0.5), (larger, 0.5), (other, -0.5)):
            one.w_output[0] = weight  # how sure it is depends on A
        larger.w_output.mul_(3)
        larger.b_output.mul_(3)
    found = similarities(LogitSimilarity, made, larger, other)
    assert found[0, 1] == pytest.approx(1)
    assert found[0, 2] == pytest.approx(-1)
    assert beside_the_prediction(made(INPUTS)).sum().item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in (RandomSimilarity,)])
def test_a_regauged_copy_is_as_like_as_can_be(method: Method) -> None:
    made = frozen(network("expanded"))
    found = similarities(method, made, regauged(made), frozen(network("factored", 3)))
    assert found[0, 1] == pytest.approx(1, abs=0.03)
    if method is not OutputAgreement:
        assert found[0, 1] > max(found[0, 2], found[1, 2]) - 1e-9


@pytest.mark.parametrize("method", [LinearCKA, Procrustes, RSA])
def test_activations_are_compared_whether_or_not_anybody_reads_them(method: Method) -> None:
    """Two networks of one mechanism whose idle units differ are less alike than rivals whose idle units are the same.

    These measures weigh what varies. Two networks have the same mechanism by what is read.
    """
    ours, same, rival = network("factored", 0), network("factored", 1), network("expanded", 0)
    found = similarities(method, frozen(ours), frozen(same), frozen(rival))
    assert found[0, 1] < found[0, 2]
    quiet = [frozen(without_noise(made)) for made in (ours, same, rival)]
    found = similarities(method, *quiet)
    assert found[0, 1] == pytest.approx(1)
    assert found[0, 1] > found[0, 2]


@pytest.mark.parametrize("method", [LinearCKA, Procrustes])
def test_rivals_are_much_alike_as_both_carry_their_inputs(method: Method) -> None:
    """The residual stream keeps the inputs that both networks start from: a network whose first block computes nothing
    is more like the one than its rival is like it.
    """
    ours, rival = without_noise(network("factored")), without_noise(network("expanded"))
    idle = without_noise(network("factored"))
    with torch.no_grad():
        idle.block(0).w_out.zero_()
    found = similarities(method, *(frozen(made) for made in (ours, rival, idle)))
    assert found[0, 1] > 0.6
    first = [layer_activations(made, INPUTS)[0] for made in (ours, rival, idle)]
    width = torch.stack(first)
    measured = method().similarities(width, torch.tensor([[0, 1], [0, 2]]))  # type: ignore[attr-defined]
    assert measured[1] > measured[0]


def test_stitching_finds_what_could_be_computed_and_not_what_is() -> None:
    """A or C is a linear threshold of the inputs. Where the network that computes it goes on from is decided by a step,
    which takes what is nearly right: it goes on as well from a network that computes nothing.
    """
    ours, rival = without_noise(network("factored")), frozen(without_noise(network("expanded")))
    with torch.no_grad():
        gate = ours.block(1)
        gate.w_in[0, [1, 4]] = 4.0
        gate.b_in[0] = torch.tensor([-3.0, -4.0])
        gate.w_out[0, :, 6] = torch.tensor([2.0, -2.0])
        ours.b_output.fill_(-4)
    assert torch.equal(ours(INPUTS) > 0, rival(INPUTS) > 0)
    idle = without_noise(network("factored"))
    with torch.no_grad():
        idle.block(0).w_out.zero_()
    runs = [streams(made, INPUTS) for made in (frozen(ours), rival, frozen(idle))]
    assert stitched_agreement(runs[1], runs[0], runs[1], runs[0]) == 1
    assert stitched_agreement(runs[2], runs[0], runs[2], runs[0]) == 1
    assert similarities(InterchangeTransfer, ours, rival)[0, 1] < 0.5


def test_interchanges_tell_rivals_apart_whatever_idle_units_write() -> None:
    ours, same, rival = (frozen(network(*made)) for made in (("factored", 0), ("factored", 1), ("expanded", 0)))
    found = similarities(InterchangeTransfer, ours, same, rival)
    assert found[0, 1] > 0.9
    assert max(found[0, 2], found[1, 2]) < 0.5


def test_stitching_by_hand() -> None:
    """An affine map by least squares in NumPy, and the network run on by its own blocks."""
    one, other = frozen(network("factored", 1)), frozen(network("expanded", 2))
    fit, test = different_inputs(INPUTS, 100, torch.Generator().manual_seed(0))
    runs = [streams(made, rows) for rows in (fit, test) for made in (one, other)]
    x, y, x_test = (run.run.stage_inputs[1][:, 0].double().numpy() for run in runs[:3])
    affine = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=1e-3)[0]
    stream = torch.from_numpy(np.c_[x_test, np.ones(len(x_test))] @ affine).float()[:, None]
    logits = other.unembed(other.stage_sum(1, stream))
    expected = ((logits > 0) == (other(test) > 0)).double().mean()
    assert stitched_agreement(*runs) == pytest.approx(float(expected))


def test_an_identity_stitch_changes_nothing() -> None:
    config = TransformerConfig(
        d_vocabulary=5, n_positions=3, d_model=8, n_blocks=2, n_heads=2, d_head=4, d_mlp=6, d_output=5
    )
    made = frozen(build_network(config, torch.Generator().manual_seed(0)))
    inputs = ProductDomain(sizes=(5,) * 3).all()
    run = streams(made, inputs)
    for stage in run.stages:
        features = run.features(stage)
        assert torch.equal(run.outcomes(stage, features[None])[0], made(inputs)[:, -1].argmax(-1))
    assert stitched_agreement(run, run, run, run) > 0.99
    assert run.live(3) == (2,)
    assert run.live(1) == (0, 1, 2)


def test_halves_share_no_input_and_repeat_none() -> None:
    repeated = INPUTS.repeat(3, 1)
    fit, test = different_inputs(repeated, 512, torch.Generator().manual_seed(0))
    rows = torch.cat([fit, test])
    assert len(rows) == len(INPUTS)
    assert len(rows.unique(dim=0)) == len(INPUTS)
    assert len(different_inputs(INPUTS[:1], 5, torch.Generator().manual_seed(0))[1]) == 1


def test_a_linear_map_predicts_what_is_linear() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 5, generator=generator)
    weights = torch.randn(5, 2, generator=generator)
    found = fitted_map(features, features @ weights + 3)
    torch.testing.assert_close(found.weights, weights, atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(found(features), features @ weights + 3, atol=2e-2, rtol=1e-2)


def test_the_directions_that_matter_are_those_that_are_read() -> None:
    """After its first block `factored` reads B and (A or C), coordinates 1 and 4, and 6, where nothing varies yet."""
    run = streams(frozen(network("factored")), INPUTS)
    directions = sensitive_directions(run, streams(run.network, INPUTS.flip(0)), 1, torch.linspace(0, 1, 16)[:, None])
    assert directions.shape[1] <= 3
    assert float(directions[[1, 4, 6]].square().sum(0).min()) == pytest.approx(1, abs=1e-5)
    some = varying(run, 1, directions)
    assert float(some[[0, 2, 3, 5, 6, 7, 8, 9]].abs().max()) < 1e-2
    assert float(some[[1, 4]].abs().max()) > 0.5


def test_subspaces_are_each_direction_and_the_first_few() -> None:
    directions = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    bases = subspaces(directions)
    assert bases.shape == (5, 7, 3)
    ranks = [int(torch.linalg.matrix_rank(basis)) for basis in bases]
    assert ranks == [1, 1, 1, 2, 3]
    for basis, rank in zip(bases, ranks, strict=True):
        torch.testing.assert_close(torch.linalg.svdvals(basis)[:rank], torch.ones(rank))
    projected = bases[3] @ bases[3].T @ directions[:, :2]
    torch.testing.assert_close(projected, directions[:, :2])


def test_balanced_agreement_gives_copying_the_base_nothing() -> None:
    unchanged = torch.tensor([0, 0, 0, 0, 1])
    expected = torch.tensor([1, 0, 0, 0, 1])
    assert float(balanced_agreement(unchanged, expected, unchanged)) == 0
    assert float(balanced_agreement(expected, expected, unchanged)) == 1
    assert float(balanced_agreement(unchanged, unchanged, unchanged)) == 1
    assert balanced_agreement(torch.stack([unchanged, expected]), expected, unchanged).tolist() == [0, 1]


def test_power_over_parities_is_the_hadamard_transform() -> None:
    columns = 9
    functions = torch.randn(3, 2**columns, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    power = (functions.numpy() @ hadamard(2**columns)) ** 2
    power[:, 0] = 0
    found = power_spectra(functions, ProductDomain(sizes=(2,) * columns))
    np.testing.assert_allclose(found.numpy(), power / power.sum(1, keepdims=True), atol=1e-12)


def test_power_over_numbers_is_the_fourier_transform() -> None:
    domain = ProductDomain(sizes=(5, 5, 1))
    a, b, _ = domain.all().T.double()
    angle = 2 * torch.pi * 2 / 5
    functions = torch.stack(
        [torch.cos(angle * a), torch.cos(angle * (a + b)), torch.ones_like(a), 3 * torch.cos(angle * a)]
    )
    spectra = power_spectra(functions, domain).view(4, 5, 5)
    assert spectra[0, 2, 0] == pytest.approx(0.5)
    assert spectra[0, 3, 0] == pytest.approx(0.5)
    assert spectra[1, 2, 2] == pytest.approx(0.5)
    assert float(spectra[2].sum()) == 0
    torch.testing.assert_close(spectra[3], spectra[0])


def test_hidden_neurons_are_those_that_hooks_see() -> None:
    config = TransformerConfig(
        d_vocabulary=3, n_positions=2, d_model=6, n_blocks=1, n_heads=1, d_head=3, d_mlp=4, d_output=3
    )
    made = frozen(build_network(config, torch.Generator().manual_seed(0)))
    domain = ProductDomain(sizes=(3, 3))
    seen = made.stage(0, made.start(made.embedding_nodes(domain.all()))[None])
    stream = made.advance(0, made.start(made.embedding_nodes(domain.all())), seen)[:, -1]
    block = made.get_submodule("block0")
    expected = (stream @ block.mlp.w_in + block.mlp.b_in).relu()  # type: ignore[union-attr, operator]
    torch.testing.assert_close(hidden_neurons(made, domain), expected.T)


def test_the_spectrum_of_conjunctions_is_not_that_of_a_disjunction() -> None:
    found = similarities(
        SpectrumMatch,
        *(frozen(without_noise(network(*made))) for made in (("factored", 0), ("factored", 1), ("expanded", 0))),
    )
    assert found[0, 1] == pytest.approx(1)
    assert found[0, 2] < 0.9


def test_weights_of_other_shapes_are_declined() -> None:
    wide = ResidualMLPConfig(**{**CONFIG.model_dump(), "d_model": 12})
    networks = [frozen(network("factored")), frozen(build_network(wide, torch.Generator().manual_seed(0)))]
    assert "differ" in (WeightMatching().applicable(asked(networks)) or "")


def test_domains_too_large_to_transform_are_declined() -> None:
    question = replace(asked([frozen(network("factored"))] * 2), domain=ProductDomain(sizes=(2,) * 20))
    assert "inputs" in (SpectrumMatch().applicable(question) or "")


def test_networks_without_neurons_have_no_spectrum() -> None:
    config = TransformerConfig(d_vocabulary=3, n_positions=2, d_model=6, n_blocks=1, n_heads=1, d_head=3, d_output=3)
    made = frozen(build_network(config, torch.Generator().manual_seed(0)))
    question = asked([made, made], domain=ProductDomain(sizes=(3, 3)))
    assert "neurons" in (SpectrumMatch().applicable(question) or "")
