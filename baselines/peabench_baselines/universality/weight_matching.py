"""Permutation weight matching: how alike two networks' weights are once their parts are put in the best order."""

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from peabench.networks import Network, ResidualMLP, Transformer
from peabench.scorers import Scorer
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion
from peabench_baselines.universality.aligned_weights import Layer, Rotation, Weights, weights_of

ROUNDS = 20
"""At most so many times the parts are matched and the residual stream is turned, each given the other."""
STEADY = 1e-9
"""Less of a gain than this is none."""
UNDECIDED = 1e-5
"""Of the largest singular value."""


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
    what leaves our networks' function alone. It starts from the directions that embeddings and unembedding fix, to
    which each layer adds those that it reads and writes.
    """
    fixed = one.ends.T @ other.ends
    products, layers = fixed, list(zip(one.layers, other.layers, strict=True))
    for mine, theirs in layers:
        products = products + _aligned(mine, theirs, _nearest_rotation(products))[1]
    best = -1.0
    for _ in range(ROUNDS):
        rotation = _nearest_rotation(products)
        found = [_aligned(mine, theirs, rotation) for mine, theirs in layers]
        cosines = [(one.ends @ rotation * other.ends).sum(), *(cosine for cosine, _ in found)]
        similarity = float(torch.stack(cosines).mean())
        if similarity <= best + STEADY:
            break
        best, products = similarity, fixed + torch.stack([layer for _, layer in found]).sum(0)
    return best


def _aligned(mine: Layer, theirs: Layer, rotation: Rotation) -> tuple[Float[Tensor, ""], Rotation]:
    """How alike two layers are with their parts matched in a rotation, and what rotation these parts ask for."""
    turned = mine.turned(rotation)
    rows, columns = matched_parts(turned, theirs)
    mine, turned, theirs = mine.ordered(rows), turned.ordered(rows), theirs.ordered(columns)
    half_turned = mine.forms @ rotation, mine.forms.mT @ rotation
    asked = torch.einsum("pvi,pvj->ij", mine.vectors, theirs.vectors)
    asked = asked + (half_turned[0] @ theirs.forms.mT + half_turned[1] @ theirs.forms).sum((0, 1))
    return (turned.flat * theirs.flat).sum(), asked


def matched_parts(mine: Layer, theirs: Layer) -> tuple[Int[Tensor, " part"], Int[Tensor, " part"]]:
    """Numbers of the parts of both that go together, as many as the smaller has."""
    rows, columns = linear_sum_assignment((mine.flat @ theirs.flat.T).cpu().numpy(), maximize=True)
    return torch.from_numpy(rows), torch.from_numpy(columns)


def _nearest_rotation(products: Rotation) -> Rotation:
    """The orthogonal R with the largest inner product; directions that nothing decides about are taken to 0."""
    left, sizes, right = torch.linalg.svd(products)
    decided = sizes > UNDECIDED * sizes[0]
    rotation: Tensor = left[:, decided] @ right[decided]
    return rotation
