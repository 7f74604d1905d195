"""The recipe: directions of words and the blocks that read them are trained together on inputs and on swaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from peabench.generators import generator_of
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench_tasks.attributes.lexicon import Lexicon
from peabench_tasks.attributes.queries import Query
from peabench_tasks.attributes.states import States

COHERENCE = 0.4
"""Greatest |cosine| of two directions that costs nothing."""
SHORTEST, LONGEST = 0.7, 2.0
"""Lengths between which a direction costs nothing."""
HARDEST = 16
"""One in so many rows counts among the hardest."""


@dataclass
class Planter:
    """A network in training. Directions are learnt, and the embedding is made from them."""

    states: States
    generator: torch.Generator
    network: ResidualMLP
    """Its embedding, of one row, is not used."""
    free: Float[Tensor, "feature d_model"]
    """A direction for each: those of features, then those of queries."""
    same: Int[Tensor, " feature"]
    """The number of the feature whose direction each feature has; its own but where two share one."""

    @classmethod
    def begin(cls, lexicon: Lexicon, queries: Sequence[Query], config: ResidualMLPConfig, seed: int) -> "Planter":
        """A fresh network and directions, from a seed."""
        network = ResidualMLP(config.model_copy(update={"n_inputs": 1, "words": ((0, 1),)}), generator_of(seed))
        network.w_embed.requires_grad_(False)
        number = {attribute.name: i for i, attribute in enumerate(lexicon.attributes)}
        same = torch.arange(len(number) + len(queries))
        for attribute in lexicon.attributes:
            if attribute.shares_direction_of is not None:
                same[number[attribute.name]] = number[attribute.shares_direction_of]
        noise = torch.randn(len(same), config.d_model, generator=generator_of(seed + 1_000_000))
        generator = generator_of(seed + 2_000_000)
        states = States.of(lexicon, queries, generator)
        return cls(states, generator, network, F.normalize(noise, dim=1).requires_grad_(), same)

    @property
    def directions(self) -> Float[Tensor, "feature d_model"]:
        """Of all features, those that share one included."""
        shared: Tensor = self.free[self.same]
        return shared

    def trainable(self) -> list[Tensor]:
        """What an optimiser changes."""
        return [*(parameter for parameter in self.network.parameters() if parameter.requires_grad), self.free]

    def logits(self, features: Float[Tensor, "row feature"], query: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
        """Of streams that hold features as strongly as they are said to, and one query each."""
        words, queries = self.directions.split([features.shape[1], len(self.states.operation)])
        resid = torch.addmm(queries[query], features, words) + self.network.b_embed
        for block in range(self.network.config.n_blocks):
            resid = self.network.stage_sum(block, resid)
        logits: Tensor = (resid @ self.network.w_output + self.network.b_output)[:, 0]
        return logits

    def geometry_loss(self) -> Float[Tensor, ""]:
        """What two directions that lie too close cost, and those that are too short or too long."""
        unit, length = F.normalize(self.free, dim=1), self.free.norm(dim=1)
        own = self.same == torch.arange(len(self.same))
        apart = own[:, None] & own & ~torch.eye(len(own), dtype=torch.bool)
        lengths = (SHORTEST - length).relu().square() + (length - LONGEST).relu().square()
        loss: Tensor = (((unit @ unit.T).abs() - COHERENCE).relu().square() * apart).sum() + (lengths * own).sum()
        return loss

    def clip_gradients(self, max_norm: float) -> None:
        """Scale the gradient of the network, and that of the directions, to at most `max_norm`."""
        clip_grad_norm_(self.network.parameters(), max_norm)
        clip_grad_norm_(self.free, max_norm)


def step_loss(logits: Float[Tensor, " row"], target: Bool[Tensor, " row"]) -> Float[Tensor, ""]:
    """Cross-entropy, that of the hardest rows once more."""
    each = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
    return each.mean() + 0.3 * each.topk(max(1, len(each) // HARDEST)).values.mean()


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
    planter: Planter, lexicon: Lexicon, config: ResidualMLPConfig
) -> tuple[ResidualMLP, Float[Tensor, "feature d_model"]]:
    """The network with its embedding, and the directions of its features and queries."""
    directions = planter.directions.detach()
    network = ResidualMLP(config)
    weights = planter.network.state_dict()
    network.load_state_dict({**weights, "w_embed": embedding(lexicon, directions, len(planter.states.operation))})
    return network, directions
