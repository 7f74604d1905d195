"""The recipe: directions of words and the blocks that read them are trained together on inputs and on swaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.generators import generator_of
from peabench.networks import ResidualMLP, ResidualMLPConfig, build_network
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.attributes.lexicon import Lexicon
from peabench_tasks.attributes.states import States

COHERENCE = 0.4
"""Greatest |cosine| of two directions that costs nothing."""
SHORTEST, LONGEST = 0.7, 2.0
"""Lengths between which a direction costs nothing."""
HARDEST = 16
"""One in so many rows counts among the hardest."""


@dataclass
class Planter:
    """Networks of one shape in training. Directions are learnt, and the embedding is made from them."""

    states: States
    stack: StackedResidualMLP
    free: Float[Tensor, "network feature d_model"]
    """A direction for each: those of features, then those of queries."""
    same: Int[Tensor, "network feature"]
    """The number of the feature whose direction each feature has; its own but where two share one."""
    real: Bool[Tensor, "network feature"]
    """Which have a direction of their own; the others are idle."""

    @classmethod
    def begin(
        cls, states: States, lexicons: Sequence[Lexicon], config: Sequence[ResidualMLPConfig], seeds: Sequence[int]
    ) -> "Planter":
        """Fresh networks and directions, each from its own seed."""
        networks = []
        for one, seed in zip(config, seeds, strict=True):
            blocks = one.model_copy(update={"n_inputs": 1, "words": ((0, 1),)})
            network = build_network(blocks, generator_of(seed))
            if isinstance(network, ResidualMLP):
                networks.append(network)
        stack = StackedResidualMLP.from_networks(networks)
        del stack.parameters["w_embed"]
        features, queries = states.firing.shape[1], len(states.operation)
        shape = (features + queries, config[0].d_model)
        noise = torch.stack([torch.randn(shape, generator=generator_of(seed + 1_000_000)) for seed in seeds])
        free = F.normalize(noise, dim=2)
        same = torch.arange(features + queries).repeat(len(seeds), 1)
        real = torch.ones_like(same, dtype=torch.bool)
        for i, lexicon in enumerate(lexicons):
            number = {attribute.name: j for j, attribute in enumerate(lexicon.attributes)}
            real[i, len(number) : features] = False
            for attribute in lexicon.attributes:
                if attribute.shares_direction_of is not None:
                    same[i, number[attribute.name]] = number[attribute.shares_direction_of]
                    real[i, number[attribute.name]] = False
        return cls(states, stack, free.requires_grad_(), same, real)

    @property
    def directions(self) -> Float[Tensor, "network feature d_model"]:
        """Of all features, those that share one included."""
        shared: Tensor = self.free.gather(1, self.same[..., None].expand_as(self.free))
        return shared

    def trainable(self) -> list[Tensor]:
        """What an optimiser changes."""
        return [*self.stack.trainable(), self.free]

    def logits(
        self, features: Float[Tensor, "network row feature"], query: Int[Tensor, "network row"]
    ) -> Float[Tensor, "network row"]:
        """Of streams that hold features as strongly as they are said to, and one query each."""
        directions = self.directions
        count = features.shape[2]
        asked = directions[:, count:].gather(1, query[..., None].expand(-1, -1, directions.shape[2]))
        resid = torch.baddbmm(asked, features, directions[:, :count]) + self.stack.parameters["b_embed"][:, None]
        for block in range(self.stack.config.n_blocks):
            resid = resid + self.stack.block(block, resid)
        return self.stack.unembed(resid)[..., 0]

    def geometry_loss(self) -> Tensor:
        """What two directions that lie too close cost, and those that are too short or too long."""
        unit, length = F.normalize(self.free, dim=2), self.free.norm(dim=2)
        cosines = torch.bmm(unit, unit.transpose(1, 2)).abs()
        apart = (self.real[:, :, None] & self.real[:, None]) & ~torch.eye(unit.shape[1], dtype=torch.bool)
        lengths = (SHORTEST - length).relu().square() + (length - LONGEST).relu().square()
        loss: Tensor = ((cosines - COHERENCE).relu().square() * apart).sum() + (lengths * self.real).sum()
        return loss

    def clip_gradients(self, max_norm: float) -> None:
        """Scale each network's gradient to at most `max_norm`."""
        self.stack.clip_gradients(max_norm)
        if self.free.grad is not None:
            norms = self.free.grad.flatten(1).norm(dim=1)
            self.free.grad.mul_((max_norm / (norms + 1e-6)).clamp(max=1)[:, None, None])

    def subset(self, index: Sequence[int]) -> "Planter":
        """Copies of some of the networks."""
        chosen = list(index)
        return Planter(
            self.states.subset(chosen),
            self.stack.subset(chosen),
            self.free.detach()[chosen].clone().requires_grad_(),
            self.same[chosen],
            self.real[chosen],
        )


def step_loss(logits: Float[Tensor, "network row"], target: Bool[Tensor, "network row"]) -> Tensor:
    """Cross-entropy, that of each network's hardest rows once more."""
    each = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    hardest = each.topk(max(1, each.shape[1] // HARDEST), dim=1).values
    return each.mean(1).sum() + 0.3 * hardest.mean(1).sum()


@torch.no_grad()
def embedding(
    lexicon: Lexicon, directions: Float[Tensor, "feature d_model"], queries: int
) -> Float[Tensor, "row d_model"]:
    """Rows of words, then of queries: what each word carries, along the directions of the features."""
    number = {attribute.name: i for i, attribute in enumerate(lexicon.attributes)}
    carried = torch.zeros(len(lexicon.words), len(number), dtype=torch.float64)
    for row, word in enumerate(lexicon.words):
        for name, amount in word.items():
            carried[row, number[name]] = amount
    directions = directions.double()
    return torch.cat([carried @ directions[: len(number)], directions[len(directions) - queries :]]).float()


@torch.no_grad()
def finished(
    planter: Planter, index: int, lexicon: Lexicon, config: ResidualMLPConfig
) -> tuple[ResidualMLP, Float[Tensor, "feature d_model"]]:
    """One of the networks as an ordinary module, and the directions of its features and queries."""
    queries = len(planter.states.operation)
    attributes, features = len(lexicon.attributes), planter.free.shape[1] - queries
    every = planter.directions[index].detach()
    directions = torch.cat([every[:attributes], every[features:]])
    network = ResidualMLP(config)
    weights = {name: value[index].detach().clone() for name, value in planter.stack.parameters.items()}
    network.load_state_dict({**weights, "w_embed": embedding(lexicon, directions, queries)})
    return network, directions
