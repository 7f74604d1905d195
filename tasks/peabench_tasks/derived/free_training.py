"""Free training: many transformers of one shape learn the same behaviour, and nothing is said about how."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.networks import Transformer, TransformerConfig
from peabench.training.stacked_transformer import StackedTransformer

HARDEST = 256
"""Inputs of each look that join the pool of hard ones."""
POOL = 4096
LOOK_EVERY = 50

Answers = Callable[[Int[Tensor, "*row position"]], Int[Tensor, "*row query"]]
"""The right class at each position of which the last ones are trained, the last one always among them."""

Draw = Callable[[tuple[int, int], torch.Generator], Int[Tensor, "network row position"]]
"""Inputs to train on: so many rows for each of so many networks."""


@dataclass(frozen=True)
class Recipe:
    """How the networks of one size are trained."""

    steps: int
    rows: int
    """Inputs per step and network."""
    rate: float = 3e-3
    decay: float = 0.0
    """Of the weights, as AdamW has it."""
    noise: float = 0.0
    """Standard deviation of what is added to attention's reads at first; less and less. It makes heads look sharply."""
    noise_until: float = 0.6
    """Share of the steps after which there is none."""
    look: int = 0
    """Fresh inputs, of which the hardest are kept, every 50 steps; a third of the rows are such. None if 0."""
    look_from: float = 0.25
    """Share of the steps after which they are looked for."""


@dataclass(frozen=True)
class Trained:
    """Networks at the end of training, and after half of it."""

    networks: list[Transformer]
    halfway: list[Transformer]


def train_freely(config: TransformerConfig, seeds: list[int], draw: Draw, answers: Answers, recipe: Recipe) -> Trained:
    """Train one network per seed on inputs of its own."""
    stack = StackedTransformer.from_networks([Transformer(config, torch.Generator().manual_seed(s)) for s in seeds])
    generator = torch.Generator().manual_seed(seeds[0])
    optimiser = torch.optim.AdamW(stack.trainable(), lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=recipe.steps, pct_start=0.1)
    halfway: list[Transformer] = []
    pool: Tensor | None = None
    for step in range(recipe.steps):
        if step == recipe.steps // 2:
            halfway = [stack.network(i) for i in range(len(seeds))]
        rows = draw((len(seeds), recipe.rows), generator)
        if recipe.look and step > recipe.look_from * recipe.steps:
            if step % LOOK_EVERY == 0 or pool is None:
                pool = hardest(stack, draw((len(seeds), recipe.look), generator), answers, pool)
            few = torch.randint(0, pool.shape[1], (recipe.rows // 2,), generator=generator)
            rows = torch.cat([rows, pool[:, few]], 1)
        right = answers(rows)
        noise = recipe.noise * max(0.0, 1 - step / (recipe.noise_until * recipe.steps))
        logits = stack.logits(rows, everywhere=right.shape[-1] > 1, noise=noise, generator=generator)
        loss = F.cross_entropy(logits.flatten(0, 2), right.flatten()) * len(seeds)
        optimiser.zero_grad()
        loss.backward()
        stack.clip_gradients(1.0)
        optimiser.step()
        schedule.step()
    return Trained([stack.network(i) for i in range(len(seeds))], halfway)


def uniformly(
    domain: ProductDomain, shape: tuple[int, int], generator: torch.Generator
) -> Int[Tensor, "network row position"]:
    """Inputs drawn uniformly from a domain."""
    rows: Tensor = domain.sample(shape[0] * shape[1], generator).unflatten(0, shape)
    return rows


@torch.no_grad()
def hardest(
    stack: StackedTransformer, rows: Int[Tensor, "network row position"], answers: Answers, pool: Tensor | None
) -> Int[Tensor, "network row position"]:
    """The pool, with those of the rows that each network answers with the least margin."""
    worst = margins(stack.logits(rows)[:, :, 0], answers(rows)[..., -1]).topk(HARDEST, largest=False).indices
    found = rows.gather(1, worst[..., None].expand(-1, -1, rows.shape[-1]))
    return found if pool is None else torch.cat([pool, found], 1)[:, -POOL:]


def margins(logits: Float[Tensor, "*row output"], right: Int[Tensor, " *row"]) -> Float[Tensor, " *row"]:
    """By how much the right class's logit exceeds the best other one."""
    ours = logits.gather(-1, right[..., None])
    return (ours - logits.scatter(-1, right[..., None], -torch.inf).amax(-1, keepdim=True))[..., 0]
