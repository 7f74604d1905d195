"""Every method for the track `algorithms` keeps the contract, finds what it can find, and says where it cannot."""

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from rival_networks import DOMAIN, FORMULAS, model, save_rivals
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from peabench.conformance import assert_conforms
from peabench.domain import ProductDomain
from peabench.interventions import interchange, run_with_cache
from peabench.mechanism import Add, CausalModel, Integer, Modulo, Real, Variable, VariableReference
from peabench.networks import Network, ResidualMLP, ResidualMLPConfig, Transformer, TransformerConfig, build_network
from peabench.scorers import Scorer
from peabench.tasks import Task
from peabench.tracks.algorithms import TRACK, AlgorithmAnswer, AlgorithmQuestion
from peabench.tracks.candidates import Candidate
from peabench.tracks.pairs import balanced_accuracy, label_pairs, predicted_class
from peabench.tracks.ranking import Target, average_precision
from peabench_baselines.algorithms.activation_spectrum import ActivationSpectrum, frequency_power
from peabench_baselines.algorithms.best_probe import BestProbe, probe_accuracies
from peabench_baselines.algorithms.claimed_variables import claimed_classes
from peabench_baselines.algorithms.das_interchange import (
    TESTING_PAIRS,
    DASInterchange,
    paired_anew,
    problems_of,
    residual_sites,
    trained,
)
from peabench_baselines.algorithms.frequencies import frequency_fits
from peabench_baselines.algorithms.logit_spectrum import LogitSpectrum, crest_power
from peabench_baselines.algorithms.mean_field import half_way, mean_field, reason_against_mean_field
from peabench_baselines.algorithms.off_distribution import OffDistribution
from peabench_baselines.algorithms.random_hypotheses import RandomHypotheses
from peabench_baselines.algorithms.shortest_description import ShortestDescription
from peabench_baselines.algorithms.variable_rsa import VariableRSA
from peabench_baselines.algorithms.walsh_spectrum import WalshSpectrum
from peabench_baselines.algorithms.weight_spectrum import WeightSpectrum, table_power
from peabench_baselines.universality.layer_activations import layer_activations

Method = type[Scorer[AlgorithmQuestion, AlgorithmAnswer]]
METHODS: list[Method] = [
    ActivationSpectrum, BestProbe, DASInterchange, LogitSpectrum, OffDistribution, RandomHypotheses,
    ShortestDescription, VariableRSA, WalshSpectrum, WeightSpectrum,
]  # fmt: skip
ABOUT_VARIABLES: list[Method] = [BestProbe, DASInterchange, OffDistribution, VariableRSA, WalshSpectrum]
ABOUT_FREQUENCIES: list[Method] = [ActivationSpectrum, LogitSpectrum, WeightSpectrum]
MODULUS = 11
KEYS = (2, 5)
SETS = ((2, 5), (2,), (5,), (2, 3), (1, 4), (2, 3, 5), (1, 2, 3, 4, 5), (3, 4))
NUMBERS = ProductDomain(sizes=(MODULUS, MODULUS))


@pytest.fixture(scope="module")
def factored(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("factored"), "factored")


@pytest.fixture(scope="module")
def expanded(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return save_rivals(tmp_path_factory.mktemp("expanded"), "expanded")


def asked(task: Task, names: list[str] | None = None, seed: int = 0) -> AlgorithmQuestion:
    """About some hypotheses, in their order, on many pairs."""
    question = TRACK.questions(task, 0)[0]
    generator = torch.Generator().manual_seed(seed)
    if names is not None:
        question = replace(question, hypotheses=tuple(Candidate(causal_model=model(name)) for name in names))
    base, source = DOMAIN.sample(512, generator), DOMAIN.sample(512, generator)
    return replace(question, generator=generator, base=base, source=source)


def scores(method: Method, question: AlgorithmQuestion) -> list[float]:
    scorer = method()
    assert scorer.applicable(question) is None
    found: list[float] = scorer.score(question).scores.tolist()
    return found


def numbers_network(transformer: bool) -> Network:
    """Embeds numbers as cosines and sines of the key frequencies, which its neurons read from both numbers alike."""
    generator = torch.Generator().manual_seed(0)
    angles = 2 * torch.pi * torch.outer(torch.arange(MODULUS), torch.tensor(KEYS)) / MODULUS
    table = torch.cat([angles.cos(), angles.sin()], 1)
    if transformer:
        config = TransformerConfig(
            d_vocabulary=MODULUS, n_positions=2, d_model=4, n_blocks=1, n_heads=1, d_head=4, d_mlp=24, d_output=MODULUS
        )
        made = Transformer(config, generator).requires_grad_(False)
        made.w_embed.copy_(table)
        made.w_position.zero_()
        attention = made.block(0).attention
        attention.w_qkv.zero_()
        attention.w_qkv[0, 2], attention.w_o[0] = torch.eye(4), torch.eye(4)
        return made
    words = ((0, MODULUS), (0, MODULUS))
    wide = ResidualMLPConfig(n_inputs=2, d_model=4, n_blocks=1, n_units=1, d_hidden=24, d_output=MODULUS, words=words)
    network = ResidualMLP(wide, generator).requires_grad_(False)
    network.w_embed.copy_(table)
    return network


def numbers_question(network: Network) -> AlgorithmQuestion:
    generator = torch.Generator().manual_seed(0)
    return AlgorithmQuestion(
        network=network,
        domain=NUMBERS,
        level="implementation",
        hypotheses=tuple(Candidate(frequencies=frequencies) for frequencies in SETS),
        base=NUMBERS.sample(64, generator),
        source=NUMBERS.sample(64, generator),
        draw=0,
        generator=generator,
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_contract_is_kept(method: Method, tmp_path: Path) -> None:
    task = save_rivals(tmp_path, "factored", names=("factored", "expanded", "parity"))
    assert_conforms(method, [task.folder])


def test_chance_is_the_mean_over_all_orders(expanded: Task) -> None:
    """Of three hypotheses that hold and one that does not, whose place is any of four."""
    question = asked(expanded, ["expanded", "half", "other-half", "factored"])
    chosen = RandomHypotheses().score(question).scores
    holds = torch.tensor([True, True, True, False])
    target = Target(holds, torch.ones_like(holds))
    orders = torch.tensor(list(permutations(range(4))), dtype=torch.float64)
    assert average_precision(chosen, target) == pytest.approx(fmean(average_precision(o, target) for o in orders))
    whole = asked(expanded)
    assert TRACK.grade(expanded, 0, whole, RandomHypotheses().score(whole))["score"] == 0


def test_interchanges_by_das_find_the_variables_of_either_network(factored: Task, expanded: Task) -> None:
    names = ["factored", "expanded", "parity", "first-then-rest"]
    one, other = (scores(DASInterchange, asked(task, names)) for task in (factored, expanded))
    assert one[0] > 0.97
    assert max(one[1:]) < 0.9
    assert other[1] > 0.97
    assert other[0] < 0.97


def test_a_probe_finds_what_is_not_computed(factored: Task) -> None:
    """A and B is a threshold of the inputs, which the stream keeps: any probe finds it where nothing computes it."""
    inputs = DOMAIN.all()
    stream = layer_activations(factored.network(), inputs)[0].repeat(2, 1)
    claimed = claimed_classes(Candidate(causal_model=model("expanded")), inputs)
    assert probe_accuracies(stream, torch.stack(claimed).repeat(1, 2), len(inputs)).tolist() == [1, 1]
    assert scores(DASInterchange, asked(factored, ["factored", "expanded"]))[1] < 0.9


def test_neurons_have_the_parities_of_the_variables_they_compute(factored: Task, expanded: Task) -> None:
    one, other = (scores(WalshSpectrum, asked(task, ["factored", "expanded"])) for task in (factored, expanded))
    assert one[0] == pytest.approx(1, abs=1e-6)
    assert other[1] == pytest.approx(1, abs=1e-6)
    assert one[1] < 1 - 1e-3
    assert other[0] < 1 - 1e-3


@pytest.mark.parametrize("method", [m for m in ABOUT_FREQUENCIES if m is not LogitSpectrum])
@pytest.mark.parametrize("transformer", [False, True])
def test_spectra_find_the_set_of_frequencies(method: Method, transformer: bool) -> None:
    found = scores(method, numbers_question(numbers_network(transformer)))
    assert int(np.argmax(found)) == 0
    assert found[0] > 0.7


def test_the_spectrum_of_logits_is_of_the_waves_whose_crest_is_at_the_prediction() -> None:
    first, second = NUMBERS.all().double().T
    distance = torch.arange(MODULUS) - (first + second)[:, None]
    pointing = sum(torch.cos(2 * torch.pi * k * distance / MODULUS) for k in KEYS)
    elsewhere = 0.2 * torch.cos(2 * torch.pi * 3 * (torch.arange(MODULUS) - first[:, None]) / MODULUS)
    assert isinstance(pointing, torch.Tensor)
    power = crest_power(pointing + elsewhere)
    assert set(power.topk(2).indices.tolist()) == set(KEYS)
    assert power.sort().values[-3] < 0.01 * power.max()


@pytest.mark.parametrize("method", ABOUT_FREQUENCIES)
def test_spectra_of_an_untrained_network_prefer_nothing_so_clearly(method: Method) -> None:
    config = numbers_network(False).config
    found = scores(
        method, numbers_question(build_network(config, torch.Generator().manual_seed(1)).requires_grad_(False))
    )
    assert found[0] < 0.85


@pytest.mark.parametrize("method", ABOUT_FREQUENCIES)
def test_spectra_decline_hypotheses_without_frequencies(method: Method, factored: Task) -> None:
    assert method().applicable(asked(factored)) is not None


@pytest.mark.parametrize("method", ABOUT_VARIABLES)
def test_hypotheses_without_variables_are_declined(method: Method) -> None:
    assert method().applicable(numbers_question(numbers_network(False))) is not None


def test_inputs_of_many_values_have_no_parities(factored: Task) -> None:
    question = replace(asked(factored), domain=ProductDomain(sizes=(2, 2, 2, 3)))
    assert "two values" in (WalshSpectrum().applicable(question) or "")


def test_the_fit_is_largest_for_exactly_the_strong_frequencies() -> None:
    power = torch.zeros(MODULUS // 2 + 1, dtype=torch.float64)
    power[[2, 5]] = 3.0
    fits = frequency_fits(power, numbers_question(numbers_network(False)))
    assert float(fits[0]) == pytest.approx(1)
    assert fits.argmax() == 0
    other_half = replace(
        numbers_question(numbers_network(False)),
        hypotheses=(Candidate(frequencies=(9, 6)), Candidate(frequencies=(9, 2))),
    )
    assert frequency_fits(power, other_half).tolist() == pytest.approx([1, 1 / np.sqrt(2)])


def test_the_power_of_a_table_is_that_of_its_fourier_series() -> None:
    table = torch.randn(MODULUS, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    k, value = np.meshgrid(np.arange(MODULUS // 2 + 1), np.arange(MODULUS), indexing="ij")
    expected = (np.abs(np.exp(-2j * np.pi * k * value / MODULUS) @ table) ** 2).sum(1)
    expected[0] = 0
    np.testing.assert_allclose(table_power(torch.from_numpy(table)).numpy(), expected)


def test_power_at_a_frequency_is_that_of_its_pure_characters() -> None:
    domain = ProductDomain(sizes=(5, 5))
    power = torch.zeros(5, 5)
    power[2, 0], power[0, 3], power[2, 3], power[2, 2], power[1, 2], power[4, 1] = 1, 2, 4, 8, 100, 16
    assert frequency_power(power.flatten(), domain, 5).tolist() == [0, 16, 15]


def test_mean_field_is_the_mean_over_independent_parents() -> None:
    """By brute force: for each variable, all values of its parents, drawn independently."""
    for name in FORMULAS:
        causal_model = model(name)
        chances = {
            letter: torch.rand(1, generator=torch.Generator().manual_seed(i)).item() for i, letter in enumerate("ABC")
        }
        beliefs = {k: torch.tensor([[1 - p, p]], dtype=torch.float64) for k, p in chances.items()}
        for variable in causal_model.variables:
            if variable.function is None:
                continue
            total = 0.0
            for values in product([False, True], repeat=len(variable.parents)):
                setting = {p: torch.tensor([v]) for p, v in zip(variable.parents, values, strict=True)}
                rest = {letter: torch.tensor([False]) for letter in "ABC"}
                outcome = causal_model.run(rest, setting)[variable.name]
                weight = np.prod(
                    [chances[p] if v else 1 - chances[p] for p, v in zip(variable.parents, values, strict=True)]
                )
                total += float(weight) * bool(outcome)
            chances[variable.name] = total
        found = mean_field(causal_model, beliefs)
        assert float(found["answer"][0, 1]) == pytest.approx(chances["answer"])
        torch.testing.assert_close(found["answer"].sum(1), torch.ones(1, dtype=torch.float64))


def test_hypotheses_of_the_same_outputs_differ_half_way() -> None:
    base, source = torch.zeros(1, 4, dtype=torch.long), torch.ones(1, 4, dtype=torch.long)
    halves = {name: mean_field(model(name), half_way(model(name), base, source)) for name in ("factored", "expanded")}
    assert float(halves["expanded"]["answer"][0, 1]) == pytest.approx(7 / 16)
    assert float(halves["factored"]["answer"][0, 1]) == pytest.approx(3 / 8)


def test_off_distribution_is_the_rank_correlation_with_each_hypothesis(factored: Task) -> None:
    question = asked(factored, ["factored", "parity"])
    network = question.network
    outputs = [
        model("factored").run(model("factored").read_inputs(rows))["answer"]
        for rows in (question.base, question.source)
    ]
    rows = outputs[0] != outputs[1]
    base, source = question.base[rows], question.source[rows]
    assert isinstance(network, ResidualMLP)
    signs = ((base + source) - 1).float()  # -1 and 1 where both agree, 0 half-way
    stream = signs @ network.w_embed
    for block in range(2):
        weights = network.block(block)
        stream = stream + sum(
            (stream @ a + b).relu() @ c for a, b, c in zip(weights.w_in, weights.b_in, weights.w_out, strict=True)
        )
    logit = (stream @ network.w_output)[:, 0] * torch.where(outputs[0][rows], 1, -1)
    for found, name in zip(scores(OffDistribution, question), ("factored", "parity"), strict=True):
        belief = mean_field(model(name), half_way(model(name), base, source))["answer"][:, 1]
        wanted = (2 * belief - 1) * torch.where(outputs[0][rows], 1, -1)
        expected = spearmanr(logit.double().round(decimals=5).numpy(), wanted.round(decimals=5).numpy()).statistic
        assert found == pytest.approx(expected, abs=1e-6)


def test_variables_without_a_list_of_values_have_no_mean_field() -> None:
    assert reason_against_mean_field(model("factored")) is None
    letter = Variable(name="A", kind=Real(), columns=(0,))
    copy = Variable(name="answer", kind=Real(), parents=("A",), function=VariableReference(name="A"))
    assert "finitely" in (reason_against_mean_field(CausalModel(variables=(letter, copy), output="answer")) or "")
    wide = [Variable(name=f"x{i}", kind=Integer(modulus=59), columns=(i,)) for i in range(3)]
    total = Add(arguments=tuple(VariableReference(name=v.name) for v in wide))
    joined = Variable(
        name="answer", kind=Integer(modulus=59), parents=("x0", "x1", "x2"), function=Modulo(argument=total, modulus=59)
    )
    assert "combinations" in (reason_against_mean_field(CausalModel(variables=(*wide, joined), output="answer")) or "")


def test_probes_are_judged_above_chance_on_other_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(400, 6, generator=generator, dtype=torch.float64)
    linear, noise = (features[:, 0] + features[:, 1] > 0).long(), torch.randint(3, (400,), generator=generator)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    still = torch.zeros_like(noise)
    found = probe_accuracies(features, torch.stack([linear, noise, still]), 200)
    assert float(found[0]) > 0.9
    assert abs(float(found[1])) < 0.2
    assert float(found[2]) == 0
    turned = probe_accuracies(5 * features @ rotation + 3, torch.stack([linear, noise, still]), 200)
    torch.testing.assert_close(turned, found, atol=0.02, rtol=0)
    probe = LogisticRegression(class_weight="balanced").fit(features[:200].numpy(), linear[:200].numpy())
    accuracy = balanced_accuracy_score(linear[200:], probe.predict(features[200:].numpy()), adjusted=True)
    assert float(found[0]) == pytest.approx(accuracy, abs=0.02)


def test_claimed_classes_are_the_values_of_the_variables() -> None:
    inputs = DOMAIN.all()
    v, w = claimed_classes(Candidate(causal_model=model("expanded")), inputs)
    assert torch.equal(v, inputs[:, 0] & inputs[:, 1])
    assert torch.equal(w, inputs[:, 1] & inputs[:, 2])


def test_problems_of_several_hypotheses_are_trained_once(factored: Task) -> None:
    """`half` and `other-half` claim one variable each of the two that `expanded` claims."""
    question = asked(factored, ["expanded", "half", "other-half", "factored"])
    problems = problems_of(question, question.base, question.source)
    assert len(problems.counterfactual) == 3
    assert torch.equal(problems.of_hypothesis[0], torch.cat(problems.of_hypothesis[1:3]))
    pairs = label_pairs(model("factored"), "v", question.base, question.source)
    assert torch.equal(problems.counterfactual[problems.of_hypothesis[3][0]], pairs.counterfactual)
    assert torch.equal(problems.base_output, pairs.base_output)
    assert problems.dimension.tolist() == [1, 1, 1]


def test_a_subspace_is_judged_as_the_track_of_variables_judges_it(factored: Task) -> None:
    question = asked(factored, ["factored"])
    problems = problems_of(question, question.base, question.source)
    runs = run_with_cache(question.network, question.base), run_with_cache(question.network, question.source)
    bases = trained(question, problems, torch.tensor([0]), runs, "resid.1@0", 100, 1)
    logits = interchange(question.network, *runs, "resid.1@0", bases)[0]
    pairs = label_pairs(model("factored"), "v", question.base, question.source)
    assert float(balanced_accuracy(predicted_class(logits), pairs)) == 1


def test_pairs_to_test_on_share_no_input_with_those_to_train_on() -> None:
    domain = ProductDomain(sizes=(100, 100))
    rows = torch.arange(50)[:, None].expand(50, 2)
    question = replace(numbers_question(numbers_network(False)), domain=domain, base=rows, source=rows + 50)
    base, source = paired_anew(question)
    assert not set(base[:TESTING_PAIRS, 0].tolist()) & set(base[TESTING_PAIRS:, 0].tolist())
    assert len(set(base[:, 0].tolist())) == len(set(source[:, 0].tolist())) == 50
    assert len({(b, s) for b, s in zip(base[:, 0].tolist(), source[:, 0].tolist(), strict=True)}) > 900


def test_sites_are_those_that_still_reach_the_output() -> None:
    config = TransformerConfig(
        d_vocabulary=3, n_positions=3, d_model=6, n_blocks=3, n_heads=1, d_head=3, d_mlp=4, d_output=3
    )
    made = build_network(config, torch.Generator().manual_seed(0))
    assert residual_sites(made) == [f"resid.{layer}@{position}" for layer in (1, 2) for position in range(3)]
    single = build_network(config.model_copy(update={"n_blocks": 1}), torch.Generator().manual_seed(0))
    assert residual_sites(single) == ["resid.1@2"]


def test_the_shortest_hypothesis_is_preferred_whatever_the_network(factored: Task, expanded: Task) -> None:
    names = ["factored", "expanded"]
    one, other = (scores(ShortestDescription, asked(task, names)) for task in (factored, expanded))
    assert one == other
    assert one[0] > one[1]
