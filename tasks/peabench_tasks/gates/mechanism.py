"""From a network and its gates to what is true of it, read off the weights: a direction for each gate."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import (
    Boolean,
    CausalModel,
    Feature,
    Gauge,
    Interactions,
    Mechanism,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.networks import ResidualMLP
from peabench.networks.interaction_matrices import interaction_matrices
from peabench_tasks.gates.logic import Gate, expression, polynomials
from peabench_tasks.gates.specifications import TOLERANCE
from peabench_tasks.several_outputs import with_outputs

SITE = "resid.1@0"
LARGEST_ERROR = 0.15
"""Of what the weights add for one input or one pair, over the mean length of the directions."""


def causal_model(gates: Sequence[Gate], n_inputs: int) -> CausalModel:
    """Inputs, gates, and the gates side by side."""
    inputs = [Variable(name=f"x{i}", kind=Boolean(), columns=(i,)) for i in range(n_inputs)]
    computed = [
        Variable(
            name=f"gate{i}",
            kind=Boolean(),
            parents=(f"x{gate.first}", f"x{gate.second}"),
            function=expression(gate),
        )
        for i, gate in enumerate(gates)
    ]
    return with_outputs([*inputs, *computed], [gate.name for gate in computed])


def gate_directions(network: ResidualMLP, gates: Sequence[Gate]) -> Float[Tensor, "gate d_model"]:
    """What the weights add for each gate's pair of inputs, over the coefficient of the pair's product in the gate."""
    pairs = interaction_matrices(network).products[[gate.first for gate in gates], [gate.second for gate in gates]]
    return (pairs / polynomials(gates, network.config.n_inputs)[1][:, None]).float()


def explain(network: ResidualMLP, gates: Sequence[Gate]) -> Mechanism:
    """Each gate is a feature of the residual stream after the block, and the weights add nothing else there."""
    directions = gate_directions(network, gates)
    tensors = {f"gate{i}": direction.clone() for i, direction in enumerate(directions)}
    features = tuple(
        Feature(
            name=f"{gate.kind}-{gate.first}-{gate.second}",
            site=SITE,
            direction=TensorReference(name=f"gate{i}", shape=tuple(directions[i].shape)),
            activation=VariableReference(name=f"gate{i}"),
        )
        for i, gate in enumerate(gates)
    )
    return Mechanism(
        provenance="planted",
        causal_model=causal_model(gates, network.config.n_inputs),
        features=features,
        interactions=Interactions(site=SITE, tolerance=LARGEST_ERROR),
        tolerance=TOLERANCE,
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    ).with_tensors(tensors)


def largest_cosine(directions: Float[Tensor, "gate d_model"]) -> float:
    """The largest absolute cosine of each direction with another, in the mean."""
    units = torch.nn.functional.normalize(directions, dim=1)
    return float((units @ units.T).abs().fill_diagonal_(0).amax(1).mean())
