"""The geometry of a site's features, to be drawn: cosines between directions, and how often each fires."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import Mechanism, hierarchy
from peabench.true_features import contributions, exceptions, feature_sites, features_at, is_decoy

MOST_DRAWN = 40
DRAWS = 4096


@dataclass(frozen=True)
class SiteGeometry:
    """The features of a site, decoys after the others. Signs of cosines are left out."""

    site: str
    d_model: int
    names: tuple[str, ...]
    used: int
    """How many of them are graded: all but the last, the decoys."""
    cosines: Float[Tensor, "feature feature"]
    """0 to 1."""
    rates: Float[Tensor, " feature"]
    """Share of 4,096 inputs on which each does what it does rarely: fires, as a rule."""
    subspaces: tuple[tuple[str, ...], ...]
    """Names of the coordinates of each feature of several dimensions."""
    children: dict[str, tuple[str, ...]]
    """Of each parent."""

    @property
    def shown(self) -> list[int]:
        """The features that a picture has room for: of more than 40 those that fire most."""
        if len(self.names) <= MOST_DRAWN:
            return list(range(len(self.names)))
        return sorted(self.rates.argsort(descending=True)[:MOST_DRAWN].tolist())

    @property
    def pairs(self) -> Float[Tensor, " pair"]:
        """Cosines of all pairs of features."""
        return self.cosines[torch.ones_like(self.cosines).triu(1) == 1]


def feature_geometry(mechanism: Mechanism, domain: ProductDomain) -> list[SiteGeometry]:
    """Of each site with features: none where no feature is claimed."""
    return [_geometry(mechanism, domain, site) for site in feature_sites(mechanism)]


def _geometry(mechanism: Mechanism, domain: ProductDomain, site: str) -> SiteGeometry:
    features = features_at(mechanism, site) + features_at(mechanism, site, decoys=True)
    side = contributions(features, mechanism, domain.sample(DRAWS, torch.Generator().manual_seed(0)))
    unit = torch.nn.functional.normalize(side.directions, dim=1)
    subspaces: dict[str, list[str]] = {}
    for feature in features_at(mechanism, site):
        if feature.subspace is not None:
            subspaces.setdefault(feature.subspace, []).append(feature.name)
    children: dict[str, list[str]] = {}
    for parent, child in hierarchy(features_at(mechanism, site)):
        children.setdefault(parent, []).append(child)
    return SiteGeometry(
        site=site,
        d_model=unit.shape[1],
        names=tuple(feature.name for feature in features),
        used=sum(not is_decoy(feature) for feature in features),
        cosines=(unit @ unit.T).abs().clamp(max=1),
        rates=exceptions(side.activations).double().mean(0),
        subspaces=tuple(map(tuple, subspaces.values())),
        children={parent: tuple(names) for parent, names in children.items()},
    )
