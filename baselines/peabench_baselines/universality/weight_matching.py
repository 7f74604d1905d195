"""Permutation weight matching: how alike two networks' weights are once their parts are put in the best order."""

import torch
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment

from peabench.networks import Network, ResidualMLP, Transformer
from peabench.scorers import Scorer
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion
from peabench_baselines.universality.aligned_weights import Layer, Rotation, Weights, weights_of

ROUNDS = 20
"""At most so many times the parts are matched and the residual stream is turned, each given the other."""


class WeightMatching(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """Cosine of two networks' weights in the gauge in which they are most alike.

    Networks of one computation that was learnt in other neurons, or of another width, are beyond it.

    Cost: no pass.
    """

    name = "weight-matching"
    track = "universality"
    reference = "https://arxiv.org/abs/2209.04836"  # Ainsworth, Hayase and Srinivasa 2022, Git Re-Basin
    gauge_invariant = True

    def applicable(self, question: UniversalityQuestion) -> str | None:
        """Declines networks whose weights cannot stand beside one another."""
        return reason_against_matching(question.networks)

    @torch.no_grad()
    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """One alignment per pair."""
        weights = [weights_of(network) for network in question.networks]
        found = [weight_similarity(weights[one], weights[other]) for one, other in question.pairs.tolist()]
        return UniversalityAnswer(torch.tensor(found, dtype=torch.float64))


def reason_against_matching(networks: tuple[Network, ...]) -> str | None:
    """Why weights cannot be matched: their shapes are not known, or differ in more than the number of neurons."""
    for network in networks:
        if not isinstance(network, ResidualMLP | Transformer):
            return f"The weights of a {type(network).__name__} are not known to it."
    ends = {weights_of(network).ends.shape for network in networks}
    stages = {tuple(stage.kind for stage in network.graph.stages) for network in networks}
    if len(ends) > 1 or len(stages) > 1:
        return "The networks differ in width or in depth, so that their weights cannot be put side by side."
    return None


def weight_similarity(one: Weights, other: Weights) -> float:
    """Cosine of the weights after alignment, the mean over groups: embeddings and unembedding, and each layer.

    Neurons (of all units of a block) and heads are matched one to one by linear assignment, as in Ainsworth et al.
    2022, algorithm 1. Their permutation of the residual stream is a rotation here (orthogonal Procrustes), which is
    what leaves our networks' function alone. It starts from the rotation that fits embeddings and unembedding best.
    """
    rotation = _nearest_rotation(one.ends.T @ other.ends)
    best = -1.0
    for _ in range(ROUNDS):
        turned = one.turned(rotation)
        matched = [_matched(*layers) for layers in zip(turned.layers, other.layers, strict=True)]
        aligned = [(mine.flat * theirs.flat).sum() for mine, theirs in matched]
        similarity = float(torch.stack([(turned.ends * other.ends).sum(), *aligned]).mean())
        if similarity <= best + 1e-9:
            break
        best = similarity
        further = turned.ends.T @ other.ends
        for mine, theirs in matched:
            further = further + torch.einsum("pvi,pvj->ij", mine.vectors, theirs.vectors)
            further = further + torch.einsum("pfik,pfjk->ij", mine.forms, theirs.forms)
            further = further + torch.einsum("pfki,pfkj->ij", mine.forms, theirs.forms)
        rotation = rotation @ _nearest_rotation(further)
    return best


def _matched(mine: Layer, theirs: Layer) -> tuple[Layer, Layer]:
    """The parts of both that go together, as many as the smaller has."""
    rows, columns = linear_sum_assignment((mine.flat @ theirs.flat.T).cpu().numpy(), maximize=True)
    return mine.ordered(torch.from_numpy(rows)), theirs.ordered(torch.from_numpy(columns))


def _nearest_rotation(products: Rotation) -> Rotation:
    """The orthogonal R with the largest inner product."""
    identity = torch.eye(len(products), dtype=products.dtype)
    rotation, _ = orthogonal_procrustes(identity.numpy(), products.cpu().numpy())
    return torch.from_numpy(rotation).to(products)
