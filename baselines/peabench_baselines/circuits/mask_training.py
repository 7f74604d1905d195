"""Masks over edges trained to keep the prediction at a price: the one loop of every method that learns them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.interventions import EdgePatch, replacement_nodes, run_patched, run_with_cache
from peabench.interventions.activations import frozen
from peabench.tracks.circuits import CircuitQuestion
from peabench_baselines.circuits.divergence import divergence

PAIRS = 512
BATCH_SIZE = 32
SAMPLES = 2
"""Masks drawn for each variant and step."""
STEPS = 100
LEARNING_RATE = 0.15


@dataclass(frozen=True)
class Masks:
    """What is trained: several variants (prices, or targets) of the same masks side by side on a tensor axis."""

    parameters: Sequence[Float[Tensor, "variant any"]]
    sample: Callable[[Float[Tensor, "variant sample part"]], Float[Tensor, "variant sample part"]]
    """From uniform noise to how much is kept of each part, 1 all and 0 none."""
    price: Callable[[float], Float[Tensor, " variant"]]
    """What is added to the loss, given the share of training that is over."""
    spread: Callable[[Float[Tensor, "variant sample part"]], Float[Tensor, "variant sample edge"]]
    """From parts to the question's edges."""
    parts: int


def train(question: CircuitQuestion, masks: Masks) -> None:
    """Train masks, in place, to keep the network's own prediction with what they cut resampled.

    The loss of a variant is the mean divergence from the whole network's prediction, in units of that with every edge
    cut, over 32 of 512 pairs and 2 masks a step, plus its price; 100 steps of Adam with learning rate 0.15. The steps
    are what a second buys on these networks; the rate takes a logit over the whole range of its sigmoid within them.

    Cost: 3 + 100 x 32 x 2 v / n forward and 100 x 32 x 2 v / n backward passes over n pairs with v variants.
    """
    network, pairs = question.network, min(PAIRS, len(question.base))
    reader, node = question.edge_indices.T
    variants = len(masks.parameters[0])
    optimiser = torch.optim.Adam([parameter.requires_grad_() for parameter in masks.parameters], lr=LEARNING_RATE)
    base = run_with_cache(network, question.base[:pairs])
    written = replacement_nodes(network, "resample", question.source[:pairs])
    unit = _unit(question, base.logits, pairs)
    with torch.enable_grad(), frozen(network):
        for step in range(STEPS):
            rows = torch.randint(pairs, (BATCH_SIZE,), generator=question.generator)
            noise = torch.rand(variants, SAMPLES, masks.parts, generator=question.generator)
            kept = masks.spread(masks.sample(noise)).flatten(0, 1)
            cut = torch.zeros(len(kept), *network.graph.exists.shape)
            cut[:, reader, node] = 1 - kept
            patch = EdgePatch(cut, written[:, None, rows])
            logits = run_patched(network, base.select(rows), [patch], hypotheses=len(kept))
            lost = divergence(logits, base.logits[rows]).mean(1).unflatten(0, (variants, SAMPLES)).mean(1)
            loss = lost / unit + masks.price(step / STEPS)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()


def _unit(question: CircuitQuestion, whole: Tensor, pairs: int) -> float:
    """The divergence with every edge cut: what the network predicts on the sources instead."""
    with torch.no_grad():
        return max(float(divergence(question.network(question.source[:pairs]), whole).mean()), 1e-6)


def each_edge(kept: Float[Tensor, "variant sample edge"]) -> Float[Tensor, "variant sample edge"]:
    """The parts are the question's edges."""
    return kept
