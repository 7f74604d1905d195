"""Every method for the track `features` keeps the contract, and finds what theory says that it can find."""

import tomllib
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import feature_sites
import hand_features
import pytest
import torch
from feature_sites import CROWDED, SQUARE
from sklearn import decomposition

from peabench.conformance import findings
from peabench.scorers import Scorer
from peabench.tasks import Task
from peabench.tracks import feature_questions
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.feature_truth import FeatureAnswer
from peabench.tracks.features import TRACK, checked
from peabench_baselines.features import dictionary_learning, dictionary_search, nmf
from peabench_baselines.features.batch_top_k_sae import BatchTopKSAE
from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.dictionary_learning import DictionaryLearning
from peabench_baselines.features.gated_sae import GatedSAE
from peabench_baselines.features.ica import ICA
from peabench_baselines.features.jump_relu_sae import JumpReLUSAE
from peabench_baselines.features.l1_sae import L1SAE
from peabench_baselines.features.live_latents import live_latents
from peabench_baselines.features.matching_pursuit import MatchingPursuit
from peabench_baselines.features.matryoshka_sae import MatryoshkaSAE
from peabench_baselines.features.mdl_sae import MDLSAE
from peabench_baselines.features.neurons import Neurons
from peabench_baselines.features.pca import PCA
from peabench_baselines.features.permuted_decoder import PermutedDecoder
from peabench_baselines.features.random_rows import RandomRows
from peabench_baselines.features.sae_lens import SAELens
from peabench_baselines.features.top_k_sae import TopKSAE
from peabench_baselines.features.transcoder import Transcoder

Method = type[Scorer[FeatureQuestion, FeatureAnswer]]
POINTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]
INSTALLED = {"sae-lens": "sae_lens"}
"""Libraries that some methods need."""
METHODS: dict[str, Method] = {
    name: getattr(import_module(place.partition(":")[0]), place.partition(":")[2])
    for name, place in POINTS["peabench.scorers"].items()
    if place.startswith("peabench_baselines.features.") and find_spec(INSTALLED.get(name, "torch"))
}
SPARSE: list[Method] = [
    L1SAE, GatedSAE, TopKSAE, BatchTopKSAE, JumpReLUSAE, MatryoshkaSAE, MDLSAE, MatchingPursuit, DictionaryLearning,
]  # fmt: skip


@pytest.fixture(scope="module")
def features_task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return hand_features.save_independent(tmp_path_factory.mktemp("features"))


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_questions, "POINTS", 512)
    monkeypatch.setattr(dictionary_search, "ROUNDS", ((3, 2), (3, 1)))
    monkeypatch.setattr(dictionary_search, "SPARSITIES", 2)
    monkeypatch.setattr(dictionary_search, "WIDTHS", 2)
    for module in (dictionary_learning, nmf):
        monkeypatch.setattr(module, "ROWS", 256)
        monkeypatch.setattr(module, "PASSES", 1)
    monkeypatch.setattr(dictionary_learning, "CODING_STEPS", 5)
    monkeypatch.setattr(dictionary_learning, "PRICES", dictionary_learning.PRICES[1:])


@pytest.fixture
def small_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine settings in place of thirty, for half of the steps: enough where features are made by hand."""
    monkeypatch.setattr(dictionary_search, "ROUNDS", ((40, 2), (200, 1)))
    monkeypatch.setattr(dictionary_search, "SPARSITIES", 3)
    monkeypatch.setattr(dictionary_search, "WIDTHS", 3)
    monkeypatch.setattr(MatchingPursuit, "variant", Variant("matching-pursuit", (1, 4)))
    monkeypatch.setattr(dictionary_learning, "PRICES", dictionary_learning.PRICES[1:])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.usefixtures("few_steps")
def test_every_method_keeps_the_contract(name: str, features_task: Task) -> None:
    found = {finding.check: finding for finding in findings(METHODS[name], [features_task.folder])}
    assert {check: finding.problem for check, finding in found.items() if finding.verdict == "failed"} == {}
    assert found["repeats"].verdict == "passed"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("site", ["resid.0@0", "resid.1@0", "block0.unit0@0"])
@pytest.mark.usefixtures("few_steps")
def test_answers_are_unit_directions_of_live_latents_and_repeat_without_a_warning(name: str, site: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked = feature_sites.question(site=site)
        if METHODS[name]().applicable(asked) is not None:
            assert METHODS[name] is Transcoder
            assert site == "resid.0@0"
            return
        one, two = METHODS[name]().score(asked), METHODS[name]().score(feature_sites.question(site=site))
    checked(asked, one)
    torch.testing.assert_close(one.directions.norm(dim=1), torch.ones(len(one.directions)))
    assert bool((one.activations.std(0) > 0).all())
    assert torch.equal(one.directions, two.directions)
    assert torch.equal(one.activations, two.activations)


@pytest.mark.parametrize("method", SPARSE)
@pytest.mark.usefixtures("small_search")
def test_sparse_dictionaries_find_features_in_superposition_and_components_do_not(method: Method) -> None:
    asked = feature_sites.question(CROWDED)
    found = feature_sites.score(method().score(asked))
    asked = feature_sites.question(CROWDED)
    assert found > 0.6
    assert found > feature_sites.score(PCA().score(asked)) + 0.3
    assert found > feature_sites.score(RandomRows().score(asked)) + 0.3


def test_components_fail_on_superposed_features() -> None:
    asked = feature_sites.question(CROWDED)
    assert feature_sites.score(PCA().score(asked)) < 0.25
    assert feature_sites.score(Neurons().score(asked)) < 0.25


def test_independent_sources_are_found_where_there_are_no_more_than_dimensions() -> None:
    square, crowded = feature_sites.question(SQUARE), feature_sites.question(CROWDED)
    found = feature_sites.score(ICA().score(square), SQUARE)
    assert found > 0.95
    assert found > feature_sites.score(PCA().score(square), SQUARE) + 0.3
    assert feature_sites.score(ICA().score(crowded)) < 0.8


@pytest.mark.parametrize("shape", [CROWDED, SQUARE])
@pytest.mark.usefixtures("small_search")
def test_a_permuted_decoder_falls_to_about_chance(shape: tuple[int, int]) -> None:
    asked = feature_sites.question(shape)
    assert feature_sites.score(BatchTopKSAE().score(asked), shape) > 0.5
    asked = feature_sites.question(shape)
    assert feature_sites.score(PermutedDecoder().score(asked), shape) < 0.1


@pytest.mark.skipif(find_spec("sae_lens") is None, reason="sae-lens is not installed")
def test_dictionaries_of_the_library_find_features_in_superposition() -> None:
    assert feature_sites.score(SAELens().score(feature_sites.question())) > 0.5


def test_the_library_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peabench_baselines.features.sae_lens.find_spec", lambda name: None)
    assert "pip install 'peabench[sae-lens]'" in (SAELens().applicable(feature_sites.question()) or "")


def test_neurons_are_the_coordinates_of_the_site() -> None:
    asked = feature_sites.question()
    answer = Neurons().score(asked)
    assert torch.equal(answer.directions, torch.eye(CROWDED[1]))
    torch.testing.assert_close(answer.activations, asked.evaluation - asked.training.mean(0))


@pytest.mark.parametrize("site", ["resid.1@0", "block0.unit0@0"])
@pytest.mark.usefixtures("small_search")
def test_a_transcoder_finds_what_the_block_writes(site: str) -> None:
    asked = feature_sites.question(SQUARE, site=site)
    written = feature_sites.network(*SQUARE).block(0).w_out[0].detach()
    closest = (written @ Transcoder().score(asked).directions.T).max(1).values
    others = (written @ L1SAE().score(feature_sites.question(SQUARE)).directions.T).max(1).values
    assert float(closest.mean()) > 0.95
    assert float(others.mean()) < 0.9


def test_a_site_without_a_block_before_it_is_declined_with_the_reason() -> None:
    assert "No block lies before resid.0@0" in (Transcoder().applicable(feature_sites.question()) or "")


def test_pca_is_scikit_learns() -> None:
    asked = feature_sites.question()
    stream = asked.training.double()
    components = torch.from_numpy(decomposition.PCA().fit(stream.numpy()).components_).float()
    cosines = (PCA().score(asked).directions * components).sum(1).abs()
    torch.testing.assert_close(cosines, torch.ones(CROWDED[1]), atol=1e-3, rtol=0)


def test_latents_that_never_change_are_left_out_and_the_strongest_kept() -> None:
    asked = feature_sites.question()
    latents = asked.latents + 3
    activations = torch.rand(len(asked.evaluation), latents, generator=torch.Generator().manual_seed(0))
    activations[:, 0] = 0
    activations[:, 1] = 3
    activations[:, 2] *= 1e-3
    directions = torch.ones(latents, CROWDED[1])
    answer = live_latents(asked, directions, activations)
    assert len(answer.directions) == asked.latents
    torch.testing.assert_close(answer.activations / CROWDED[1] ** 0.5, activations[:, 3:])
    assert len(live_latents(asked, directions[:3], activations[:, :3]).directions) == 1
    assert len(live_latents(asked, directions[:2], torch.zeros_like(activations[:, :2])).directions) == 1


@pytest.mark.parametrize("name", ["oracle", "probe"])
@pytest.mark.usefixtures("small_search")
def test_no_method_is_above_a_reference_that_sees_the_truth(name: str, features_task: Task) -> None:
    reference = next(found for found in TRACK.references if found.name == name)
    asked = TRACK.questions(features_task, 0)[0]
    best = TRACK.grade(features_task, 0, asked, reference.answer(asked, features_task, []))["score"]
    mine = TRACK.grade(features_task, 0, asked, JumpReLUSAE().score(asked))["score"]
    assert mine <= best + 0.02
