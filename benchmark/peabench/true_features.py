"""The features that a mechanism certifies at a site, as tensors: directions, and how strongly each fires on inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.mechanism import Feature, Mechanism, evaluate
from peabench.mechanism.causal_model import Values

DECOY = "decoy"
"""Features whose name begins so are decodable and unused: nobody need find them, and finding them is not wrong."""
UNCERTIFIED = "uncertified"
"""Features whose name begins so are used, but no direction of theirs passes the check; they are graded as decoys."""


@dataclass(frozen=True)
class Contributions:
    """What each of several features, or latents, adds to the activations at a site: `activations[:, i] directions[i]`.

    Members with the same number in `features` are coordinates of one feature of several dimensions.
    """

    directions: Float[Tensor, "member d_model"]
    activations: Float[Tensor, "point member"]
    features: Int[Tensor, " member"]
    """Number of the feature that each belongs to, 0, 1, ... without a gap."""

    @property
    def count(self) -> int:
        """Number of features."""
        return int(self.features.max()) + 1 if len(self.features) else 0

    def members(self) -> list[Int[Tensor, " member"]]:
        """The members of each feature, by number."""
        if self.count == len(self.features):
            return list(self.features.argsort()[:, None])
        return [(self.features == number).nonzero()[:, 0] for number in range(self.count)]

    def of(self, index: Int[Tensor, " some"]) -> "Contributions":
        """Some of the features, renumbered in the order in which they stand."""
        chosen = torch.isin(self.features, index)
        numbers = self.features[chosen].unique(return_inverse=True)[1]
        return Contributions(self.directions[chosen], self.activations[:, chosen], numbers)

    def beside(self, others: "Contributions") -> "Contributions":
        """These, then others."""
        return Contributions(
            torch.cat([self.directions, others.directions]),
            torch.cat([self.activations, others.activations], 1),
            torch.cat([self.features, others.features + self.count]),
        )


def is_decoy(feature: Feature) -> bool:
    """Whether a feature is there without being used, or without its use being certified."""
    return feature.name.startswith((DECOY, UNCERTIFIED))


def feature_sites(mechanism: Mechanism) -> list[str]:
    """Sites with features that are used, in the order in which the mechanism names them."""
    return list(dict.fromkeys(feature.site for feature in mechanism.features if not is_decoy(feature)))


def features_at(mechanism: Mechanism, site: str, *, decoys: bool = False) -> list[Feature]:
    """The used features of a site, or its decoys."""
    return [feature for feature in mechanism.features if feature.site == site and is_decoy(feature) == decoys]


def firing(features: Sequence[Feature], mechanism: Mechanism, values: Values) -> Float[Tensor, "point feature"]:
    """How strongly each feature fires, given the values of the causal model's variables."""
    kinds = mechanism.causal_model.kinds
    points = len(next(iter(values.values())))
    columns = [evaluate(feature.activation, values, kinds).double().expand(points) for feature in features]
    return torch.stack(columns, 1) if columns else torch.zeros(points, 0, dtype=torch.float64)


def directions(features: Sequence[Feature], mechanism: Mechanism) -> Float[Tensor, "feature d_model"]:
    """The certified direction of each feature."""
    found = [mechanism.tensor(feature.direction).double() for feature in features]
    return torch.stack(found) if found else torch.zeros(0, 0, dtype=torch.float64)


def contributions(
    features: Sequence[Feature], mechanism: Mechanism, inputs: Int[Tensor, "point column"]
) -> Contributions:
    """What features add to the activations at their site on some inputs; those of one subspace are one feature."""
    model = mechanism.causal_model
    values = model.run(model.read_inputs(inputs))
    return Contributions(
        directions(features, mechanism), firing(features, mechanism, values), feature_numbers(features)
    )


def feature_numbers(features: Sequence[Feature]) -> Int[Tensor, " feature"]:
    """The number of the feature that each record belongs to: its own, or that of the first one of its subspace."""
    keys = [("subspace", f.subspace) if f.subspace is not None else ("feature", f.name) for f in features]
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return torch.tensor([number[key] for key in keys], dtype=torch.long)


def usual(activations: Float[Tensor, "point feature"]) -> Float[Tensor, " feature"]:
    """What each feature does most often: nothing, as a rule."""
    most: Tensor = activations.mode(0).values
    return most


def exceptions(
    activations: Float[Tensor, "point feature"], often: Float[Tensor, " feature"] | None = None
) -> Bool[Tensor, "point feature"]:
    """Where each feature does not do what it does most often: where a rare one fires."""
    return activations != (usual(activations) if often is None else often)
