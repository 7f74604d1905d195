"""The training loop of every sparse autoencoder."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench_baselines.features.dictionary import Dictionaries

BATCH_SIZE = 256
STEADY = 0.5
"""Share of the steps before the learning rate falls, linearly, to 0."""


def train(
    dictionaries: Dictionaries,
    inputs: Float[Tensor, "row d_in"],
    targets: Float[Tensor, "row d_out"],
    steps: int,
    generator: torch.Generator,
) -> None:
    """Train all candidates, in place, on the same batches with Adam.

    Adam's step is linear in its learning rate, so that one optimiser serves candidates with rates of their own. After
    each step the directions are unit vectors again.
    """
    parameters = [value.requires_grad_() for value in dictionaries.parameters.values()]
    optimiser = torch.optim.Adam(parameters, lr=1.0)
    rates = dictionaries.candidates.learning_rate[:, None, None]
    for step in range(steps):
        rows = torch.randint(len(inputs), (BATCH_SIZE,), generator=generator)
        with torch.enable_grad():
            loss = dictionaries.losses(inputs[rows], targets[rows])
            optimiser.zero_grad()
            loss.sum().backward()
        before = [parameter.detach().clone() for parameter in parameters]
        optimiser.step()
        falling = min(1.0, (1 - step / steps) / (1 - STEADY))
        with torch.no_grad():
            for parameter, old in zip(parameters, before, strict=True):
                parameter.sub_(old).mul_(rates * falling).add_(old)
            directions = dictionaries.parameters["decoder"]
            directions.div_(directions.norm(dim=2, keepdim=True).clamp(min=1e-6))
    for parameter in parameters:
        parameter.requires_grad_(False)
    dictionaries.calibrate(inputs)
