"""Measures of how alike activations are: against other definitions of them, and what they must not see."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from torch import Tensor

from peabench_baselines.universality.layer_activations import at_equal_depth
from peabench_baselines.universality.linear_cka import linear_cka
from peabench_baselines.universality.procrustes import procrustes_similarity
from peabench_baselines.universality.pwcca import pwcca
from peabench_baselines.universality.rsa import rsa
from peabench_baselines.universality.svcca import VARIANCE, svcca

Measure = Callable[[Tensor, Tensor], Tensor]
MEASURES: list[Measure] = [linear_cka, procrustes_similarity, pwcca, rsa, svcca]
ROTATION_BLIND: list[Measure] = [linear_cka, procrustes_similarity, rsa, svcca]
PAIRS = torch.tensor([[0, 1], [1, 2], [2, 2]])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def activations() -> Tensor:
    """Three networks that share something, of unequal scale, mean and rank; the last column of all is empty."""
    made = random(40, 6) @ random(3, 6, 6, seed=1) + 0.7 * random(3, 40, 6, seed=2) + torch.arange(6)
    made[1] *= 9
    made[2, :, 4] = made[2, :, 3]
    return torch.nn.functional.pad(made, (0, 1))


def centred(x: Tensor) -> np.ndarray:
    found: np.ndarray = (x - x.mean(0)).numpy()
    return found


def test_linear_cka_is_the_normalised_hsic_of_centred_kernels(activations: Tensor) -> None:
    def hsic(k: np.ndarray, kernel: np.ndarray) -> float:
        n = len(k)
        h = np.eye(n) - np.ones((n, n)) / n
        return float(np.trace(k @ h @ kernel @ h))

    kernels = [(x @ x.T).numpy() for x in activations]
    for value, (i, j) in zip(linear_cka(activations, PAIRS), PAIRS.tolist(), strict=True):
        a, b = kernels[i], kernels[j]
        assert float(value) == pytest.approx(hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b)))


def test_rsa_is_spearmans_correlation_of_scipys_distances(activations: Tensor) -> None:
    for value, (i, j) in zip(rsa(activations, PAIRS), PAIRS.tolist(), strict=True):
        assert float(value) == pytest.approx(
            spearmanr(pdist(activations[i].numpy()), pdist(activations[j].numpy())).statistic, abs=1e-4
        )


def test_svcca_is_the_mean_cosine_between_the_leading_components(activations: Tensor) -> None:
    for value, (i, j) in zip(svcca(activations, PAIRS), PAIRS.tolist(), strict=True):
        one, other = (PCA(VARIANCE, svd_solver="full").fit_transform(activations[k].numpy()) for k in (i, j))
        assert float(value) == pytest.approx(np.cos(subspace_angles(one, other)).mean(), abs=1e-6)


def test_pwcca_weighs_scikit_learns_canonical_variables() -> None:
    x, y = random(60, 4), random(60, 4, seed=1)
    y[:, 0] += 2 * x[:, 1]
    y[:, 2] += x[:, 0] - x[:, 3]
    expected = []
    for one, other in ((x, y), (y, x)):
        model = CCA(4, scale=False, max_iter=20_000, tol=1e-12).fit(one.numpy(), other.numpy())
        scores = model.transform(one.numpy(), other.numpy())
        correlations = [abs(np.corrcoef(a, b)[0, 1]) for a, b in zip(*(s.T for s in scores), strict=True)]
        units = scores[0] / np.linalg.norm(scores[0], axis=0)
        weights = np.abs(units.T @ centred(one)).sum(1)
        expected.append((weights * correlations).sum() / weights.sum())
    value = pwcca(torch.stack([x, y]), torch.tensor([[0, 1]]))
    assert float(value) == pytest.approx(np.mean(expected), abs=1e-4)


def test_procrustes_is_scipys_disparity(activations: Tensor) -> None:
    for value, (i, j) in zip(procrustes_similarity(activations, PAIRS), PAIRS.tolist(), strict=True):
        disparity = procrustes(activations[i].numpy(), activations[j].numpy())[2]
        assert float(value) == pytest.approx(np.sqrt(1 - disparity))


@pytest.mark.parametrize("measure", MEASURES)
def test_a_network_is_like_itself_and_less_like_another(measure: Measure, activations: Tensor) -> None:
    other, _, same = measure(activations, PAIRS)
    assert float(same) == pytest.approx(1)
    assert float(other) < 0.95


@pytest.mark.parametrize("measure", MEASURES)
def test_a_pair_has_no_order(measure: Measure, activations: Tensor) -> None:
    torch.testing.assert_close(measure(activations, PAIRS), measure(activations, PAIRS.flip(1)))


@pytest.mark.parametrize("measure", ROTATION_BLIND)
def test_rotation_scale_and_translation_change_nothing(measure: Measure, activations: Tensor) -> None:
    rotation = torch.linalg.qr(random(7, 7, seed=3)).Q
    moved = activations.clone()
    moved[0] = 3 * activations[0] @ rotation - 5
    torch.testing.assert_close(measure(moved, PAIRS), measure(activations, PAIRS))


@pytest.mark.parametrize("measure", MEASURES)
def test_scale_translation_and_order_of_inputs_change_nothing(measure: Measure, activations: Tensor) -> None:
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    moved = activations.clone()
    moved[0] = 3 * activations[0] - 5
    torch.testing.assert_close(measure(moved[:, order], PAIRS), measure(activations, PAIRS))


@pytest.mark.parametrize("measure", [svcca, pwcca])
def test_what_canonical_correlations_see_is_a_span(measure: Measure, activations: Tensor) -> None:
    """Any invertible map leaves the spans alone; CKA and Procrustes see it."""
    full = activations[:, :, :4].clone()
    stretched = full.clone()
    stretched[0] = full[0] @ torch.diag(torch.tensor([1.0, 1.2, 0.9, 1.1], dtype=torch.float64))
    if measure is svcca:
        torch.testing.assert_close(measure(stretched, PAIRS), measure(full, PAIRS))
    assert abs(float((linear_cka(stretched, PAIRS) - linear_cka(full, PAIRS))[0])) > 1e-4


@pytest.mark.parametrize("measure", MEASURES)
def test_activations_that_never_vary_are_like_none(measure: Measure, activations: Tensor) -> None:
    still = activations.clone()
    still[1] = 2.5
    found = measure(still, PAIRS)
    assert torch.isfinite(found).all()
    assert found[:2].abs().tolist() == pytest.approx([0, 0])


@pytest.mark.parametrize("measure", MEASURES)
def test_unrelated_activations_are_little_alike(measure: Measure) -> None:
    unrelated = random(2, 400, 3)
    assert abs(float(measure(unrelated, torch.tensor([[0, 1]]))[0])) < 0.25


def test_layers_are_paired_by_relative_depth_and_padded() -> None:
    shallow, deep = [torch.ones(5, 2)], [torch.full((5, 3), float(layer)) for layer in range(1, 4)]
    depths = list(at_equal_depth([shallow, deep]))
    assert [depth.shape for depth in depths] == [(2, 5, 3)] * 3
    assert [depth[1, 0, 0].item() for depth in depths] == [1, 2, 3]
    assert all(depth[0].sum() == 10 for depth in depths)
    halves = [[torch.full((1, 1), float(layer)) for layer in range(1, n + 1)] for n in (2, 4)]
    assert [depth[0].item() for depth in at_equal_depth(halves)] == [1, 1, 2, 2]
