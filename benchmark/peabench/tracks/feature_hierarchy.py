"""What dictionaries do to parents and children: absorb the parent into the child's latent, or split it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.tracks.feature_matching import Matching, pair_quality
from peabench.tracks.feature_truth import FeatureTruth
from peabench.true_features import Contributions

FOUND = 0.3
"""Quality from which a parent counts as found; absorption into children is measured of those alone."""


def hierarchy_metrics(truth: FeatureTruth, answered: Contributions, matching: Matching) -> dict[str, float]:
    """`absorption` and `splitting`, each a mean over parent-child edges; nothing where there are none to measure.

    *Absorption* (Chanin et al. 2024, arXiv:2409.14507): the share of the parent's own latent that is missing where the
    child fires, 1 where it is silent there. *Splitting* (Bricken et al. 2023): by how much two latents written along
    the parent, one that fires with the child and one that fires without it, beat the best single latent for it.
    """
    if not truth.parents:
        return {}
    fires = truth.all.activations != 0
    absorbed = []
    for parent, child in truth.parents:
        feature = int(truth.all.features[parent])
        if matching.matched[feature] < FOUND:
            continue
        children = fires[:, [c for p, c in truth.parents if p == parent]].any(1)
        share = _absorbed(_latent(answered, matching, feature), fires[:, parent], fires[:, child], children)
        if share is not None:
            absorbed.append(share)
    found = {"splitting": _splitting(truth, answered)}
    return found | ({"absorption": sum(absorbed) / len(absorbed)} if absorbed else {})


def _latent(answered: Contributions, matching: Matching, feature: int) -> Float[Tensor, " point"]:
    """Activation of the latent that a feature is matched with (of several: the one that says most)."""
    members = answered.activations[:, answered.features == matching.answered[feature]]
    strongest: Tensor = members[:, members.var(0).argmax()]
    return strongest


def _absorbed(
    latent: Float[Tensor, " point"],
    parent: Bool[Tensor, " point"],
    child: Bool[Tensor, " point"],
    children: Bool[Tensor, " point"],
) -> float | None:
    """How much less a parent's latent fires with a child than alone, 0 to 1; None if it never fires alone."""
    kinds = (parent & ~children, parent & child, ~parent)
    if not all(bool(kind.any()) for kind in kinds):
        return None
    alone, together, silent = (float(latent[kind].mean()) for kind in kinds)
    return None if alone == silent else min(max(1 - (together - silent) / (alone - silent), 0.0), 1.0)


def _splitting(truth: FeatureTruth, answered: Contributions) -> float:
    parents, children = torch.tensor(truth.parents).T
    fired, with_child = truth.all.activations[:, parents], truth.all.activations[:, children] != 0
    best = []
    for activations in (fired, fired * with_child, fired * ~with_child):
        side = Contributions(truth.all.directions[parents], activations, torch.arange(len(parents)))
        best.append(pair_quality(side, answered).amax(1))
    whole, together, alone = best
    return float((torch.minimum(together, alone) - whole).clamp(min=0).mean())
