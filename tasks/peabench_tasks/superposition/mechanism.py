"""From a trained autoencoder to what is true of it: which inputs it represents, and along which directions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import Boolean, Feature, Gauge, Mechanism, TensorReference, Variable, VariableReference
from peabench.networks import ResidualMLP
from peabench_tasks.several_outputs import with_outputs
from peabench_tasks.superposition.specifications import TOLERANCE

SITE = "resid.0@0"
ROWS = 65_536
REPRESENTED = 0.8
"""Share of the inputs with a feature on which its output must say so, and as much more often than on others."""


@dataclass(frozen=True)
class Geometry:
    """How the represented features lie."""

    represented: int
    largest_cosine: float
    """The largest absolute cosine of each feature with another, in the mean."""
    dimensionality: float
    """Squared length of a direction over the sum of its squared overlaps with all, in the mean (Elhage et al. 2022)."""


def represented(network: ResidualMLP, domain: ProductDomain) -> list[int]:
    """Inputs whose output follows them, measured on inputs as the domain draws them with this one set true."""
    rows = domain.sample(ROWS // 16, torch.Generator().manual_seed(0))
    found = []
    for column in range(network.config.n_inputs):
        with_it = rows.clone()
        with_it[:, column] = 1
        if float((network(with_it)[:, 0, column] > 0).float().mean()) > REPRESENTED:
            found.append(column)
    return found


def explain(network: ResidualMLP, columns: Sequence[int]) -> Mechanism:
    """Each represented input is a feature along its column of the embedding; of the others the answer is no."""
    names = [f"x{i}" if i in columns else None for i in range(network.config.n_inputs)]
    inputs = [
        Variable(name=f"x{i}", kind=Boolean(), columns=(i,), description="" if name else "Not represented.")
        for i, name in enumerate(names)
    ]
    tensors = {f"x{i}": 2 * network.w_embed[i].clone() for i in columns}
    features = tuple(
        Feature(
            name=name,
            site=SITE,
            direction=TensorReference(name=name, shape=tuple(direction.shape)),
            activation=VariableReference(name=name),
        )
        for name, direction in tensors.items()
    )
    return Mechanism(
        provenance="derived",
        causal_model=with_outputs(inputs, names),
        features=features,
        tolerance=TOLERANCE,
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    ).with_tensors(tensors)


def geometry(directions: Float[Tensor, "feature d_model"]) -> Geometry:
    """Cosines and feature dimensionality of directions."""
    units = directions / directions.norm(dim=1, keepdim=True)
    cosines = (units @ units.T).abs().fill_diagonal_(0)
    overlaps = (units @ directions.T).square().sum(1)
    return Geometry(
        represented=len(directions),
        largest_cosine=float(cosines.max(1).values.mean()),
        dimensionality=float((directions.square().sum(1) / overlaps).mean()),
    )
