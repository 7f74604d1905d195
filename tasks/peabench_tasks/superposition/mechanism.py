"""From a trained autoencoder to what is true of it: which inputs it represents, and along which directions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import (
    Boolean,
    Compare,
    Constant,
    Feature,
    Gauge,
    Mechanism,
    Range,
    TensorReference,
    Variable,
    VariableReference,
)
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
    """Inputs whose outputs follow them, measured on inputs as the domain draws them with this one not 0."""
    rows = domain.sample(ROWS // 16, torch.Generator().manual_seed(0))
    magnitudes = network.config.d_output // network.config.n_inputs
    value = torch.arange(len(rows)) % magnitudes + 1
    right = value[:, None] > torch.arange(magnitudes)
    found = []
    for column in range(network.config.n_inputs):
        with_it = rows.clone()
        with_it[:, column] = value
        answers = network(with_it)[:, 0].unflatten(1, (-1, magnitudes))[:, column] > 0
        if float((answers == right).all(1).float().mean()) > REPRESENTED:
            found.append(column)
    return found


def written(network: ResidualMLP) -> Float[Tensor, "input d_model"]:
    """What each input writes more where it is true, or at its least magnitude, than where it is not."""
    if network.config.words is None:
        return 2 * network.w_embed
    return network.w_embed[[first + 1 for first, _ in network.config.words]]


def explain(network: ResidualMLP, columns: Sequence[int]) -> Mechanism:
    """Each represented input is a feature along its column of the embedding; of the others the answer is no."""
    magnitudes = network.config.d_output // network.config.n_inputs
    kind = Boolean() if magnitudes == 1 else Range(low=0, high=magnitudes)
    variables, outputs = list[Variable](), list[str | None]()
    for i in range(network.config.n_inputs):
        told = "" if i in columns else "Not represented."
        variables.append(Variable(name=f"x{i}", kind=kind, columns=(i,), description=told))
        answers = [variables[-1]] if magnitudes == 1 else _thresholds(f"x{i}", magnitudes)
        variables += [answer for answer in answers if answer.parents]
        outputs += [answer.name if i in columns else None for answer in answers]
    directions = written(network)
    tensors = {f"x{i}": directions[i].clone() for i in columns}
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
        causal_model=with_outputs(variables, outputs),
        features=features,
        tolerance=TOLERANCE,
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    ).with_tensors(tensors)


def _thresholds(name: str, magnitudes: int) -> list[Variable]:
    """Whether a graded input has each value above 0, or a greater one."""
    return [
        Variable(
            name=f"{name}_from{value}",
            kind=Boolean(),
            parents=(name,),
            function=Compare(relation="ge", left=VariableReference(name=name), right=Constant(value=value)),
        )
        for value in range(1, magnitudes + 1)
    ]


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
