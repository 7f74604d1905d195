"""Free training on all pairs at once: networks of one shape, one per seed, until their mechanism has settled.

Perfect accuracy comes long before the mechanism's own metrics stop moving, so the number of steps is a multiple of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from peabench.fourier import sums
from peabench.networks import Network, ResidualMLPConfig, TransformerConfig, build_network
from peabench_tasks.modular.grid import Grid, Parameters, grid_logits, networks_of, stacked

SAVE_EVERY = 250
WARM_UP = 10


@dataclass(frozen=True)
class Recipe:
    """How networks of one shape are trained."""

    steps: int
    rate: float
    decay: float
    """Of the weights, as AdamW has it."""
    objective: Literal["cross_entropy", "squared_error"]
    share: float
    """Of the pairs, drawn for each seed; the others are never trained on."""
    constant_attention: bool = False
    """Queries and keys are 0 in training, where no gradient moves them: both tokens are looked at alike."""


@dataclass(frozen=True)
class Trained:
    """Networks at the end of training, and after half of it."""

    networks: list[Network]
    halfway: list[Network]


def start(config: ResidualMLPConfig | TransformerConfig, seed: int, recipe: Recipe) -> Network:
    """A network before its training."""
    network = build_network(config, torch.Generator().manual_seed(seed))
    if isinstance(config, TransformerConfig):
        with torch.no_grad():
            for name, value in network.named_parameters():
                if name in ("w_embed", "w_position"):
                    value.mul_(2 / config.d_model**0.5)
                elif name.endswith("w_qkv") and recipe.constant_attention:
                    value[:, :2] = 0
    return network


@contextmanager
def subnormal_numbers_as_zero() -> Iterator[None]:
    """Gradients fade long before the end of training, and arithmetic on such numbers is slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@subnormal_numbers_as_zero()
def train_freely(
    config: ResidualMLPConfig | TransformerConfig, sign: int, seeds: list[int], recipe: Recipe, state: Path
) -> Trained:
    """Train one network per seed on pairs of its own.

    Args:
        config: of all networks.
        sign: 1 for sums, -1 for differences.
        seeds: of starts and of the pairs that are trained on.
        recipe: how.
        state: file from which training goes on where it was stopped, and which it leaves behind.
    """
    truth = sums(config.d_output, sign)
    shown = torch.stack([pairs_shown(config.d_output, seed, recipe.share) for seed in seeds])
    parameters = stacked([start(config, seed, recipe) for seed in seeds])
    optimiser = torch.optim.AdamW(
        [value for name, value in parameters.items() if trained(config, name)],
        lr=recipe.rate,
        weight_decay=recipe.decay,
        betas=(0.9, 0.98),
        fused=True,
    )
    halfway: dict[str, Tensor] = {}
    done = _load(state, parameters, optimiser, halfway) if state.exists() else 0
    for step in range(done, recipe.steps):
        if step == recipe.steps // 2:
            halfway = {name: value.detach().clone() for name, value in parameters.items()}
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * min(1.0, (step + 1) / WARM_UP)
        logits = grid_logits(config, parameters, constant_attention=recipe.constant_attention)
        loss = objective(logits, truth, shown, recipe)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == recipe.steps:
            _save(state, step + 1, parameters, optimiser, halfway)
    return Trained(networks_of(config, parameters), networks_of(config, halfway))


def trained(config: ResidualMLPConfig | TransformerConfig, name: str) -> bool:
    """Whether a parameter is trained: the closed form of squares has no biases."""
    squares = isinstance(config, ResidualMLPConfig) and config.activation == "square"
    return not (squares and name.rpartition(".")[2].startswith("b_"))


def pairs_shown(modulus: int, seed: int, share: float) -> Float[Tensor, "first second"]:
    """1 for each pair that a network is trained on, else 0."""
    return (torch.rand(modulus, modulus, generator=torch.Generator().manual_seed(seed)) < share).float()


def objective(
    logits: Grid, truth: Int[Tensor, "first second"], shown: Float[Tensor, "network first second"], recipe: Recipe
) -> Float[Tensor, ""]:
    """Sum over networks of the mean loss over their pairs."""
    if recipe.objective == "cross_entropy":
        classes = truth.expand(shown.shape).flatten()
        # in double: late in training most losses are below what floats tell from 0, and the mechanism still moves
        losses = F.cross_entropy(logits.flatten(0, 2).double(), classes, reduction="none").view(shown.shape)
    else:
        losses = (logits - F.one_hot(truth, logits.shape[-1])).square().mean(-1)
    total: Tensor = ((losses * shown).sum((1, 2)) / shown.sum((1, 2))).sum()
    return total


def _save(
    state: Path, done: int, parameters: Parameters, optimiser: torch.optim.AdamW, halfway: dict[str, Tensor]
) -> None:
    tensors = {f"now.{name}": value.detach() for name, value in parameters.items()}
    tensors |= {f"halfway.{name}": value for name, value in halfway.items()}
    for number, moments in enumerate(optimiser.state.values()):
        tensors |= {f"moments.{number}.{name}": value for name, value in moments.items()}
    partial = state.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial, {"done": str(done)})
    partial.replace(state)


def _load(state: Path, parameters: Parameters, optimiser: torch.optim.AdamW, halfway: dict[str, Tensor]) -> int:
    """Read what `_save` wrote into all of these; how many steps were done."""
    with safe_open(state, "pt") as file, torch.no_grad():
        for key in file.keys():  # noqa: SIM118  # not a dictionary
            part, _, name = key.partition(".")
            if part == "now":
                parameters[name].copy_(file.get_tensor(key))
            elif part == "halfway":
                halfway[name] = file.get_tensor(key).clone()
            else:
                number, _, moment = name.partition(".")
                optimiser.state[optimiser.param_groups[0]["params"][int(number)]][moment] = file.get_tensor(key).clone()
        return int(file.metadata()["done"])
