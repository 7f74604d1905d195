"""Questions about sites whose features are the rows of a hand-made embedding, without a task around them."""

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tracks.feature_chance import random_directions
from peabench.tracks.feature_matching import match, pair_quality
from peabench.tracks.feature_questions import FeatureQuestion, activations_at
from peabench.tracks.feature_truth import FeatureAnswer
from peabench.tracks.track import above
from peabench.true_features import Contributions

TRAINING, EVALUATION = 4096, 1024
CROWDED = 48, 32
"""Features and dimensions of a site in superposition."""
SQUARE = 8, 8


def network(features: int, d_model: int) -> ResidualMLP:
    """Column i adds its own unit vector, or takes it away; the block's hidden neuron i fires for column i alone."""
    generator = torch.Generator().manual_seed(0)
    made = ResidualMLP(
        ResidualMLPConfig(n_inputs=features, d_model=d_model, n_blocks=1, n_units=1, d_hidden=features), generator
    )
    with torch.no_grad():
        made.w_embed.copy_(random_directions(features, d_model, generator))
        made.block(0).w_in[0] = torch.linalg.pinv(made.w_embed)
        made.block(0).w_out[0] = random_directions(features, d_model, generator)
    return made


def columns(shape: tuple[int, int]) -> Int[Tensor, "row feature"]:
    """Two columns of each input are 1 where there are more features than dimensions; else each is with chance .1."""
    features, d_model = shape
    noise = torch.rand(TRAINING + EVALUATION, features, generator=torch.Generator().manual_seed(1))
    if features <= d_model:
        return (noise < 0.1).long()  # a fifth would have no excess kurtosis, by which sources are told apart
    return torch.zeros_like(noise).long().scatter_(1, noise.topk(2, 1).indices, 1)


def question(shape: tuple[int, int] = CROWDED, site: str = "resid.0@0", seed: int = 0) -> FeatureQuestion:
    """About a site of that network, on inputs of `columns`."""
    made, inputs = network(*shape), columns(shape)
    here, before = activations_at(made, inputs, site)
    return FeatureQuestion(
        site=site,
        latents=4 * shape[1],
        draw=0,
        training=here[:TRAINING],
        evaluation=here[TRAINING:],
        before_training=before[:TRAINING],
        before_evaluation=before[TRAINING:],
        generator=torch.Generator().manual_seed(seed),
    )


def truth(shape: tuple[int, int] = CROWDED) -> Contributions:
    """The rows of the embedding, and the columns that say when they are added."""
    directions = 2 * network(*shape).w_embed.detach().double()
    return Contributions(directions, columns(shape)[TRAINING:].double(), torch.arange(len(directions)))


def score(answer: FeatureAnswer, shape: tuple[int, int] = CROWDED) -> float:
    """As on the track: above as many random directions that fire as the activations lie along them."""
    right, latents = truth(shape), len(answer.directions)
    stream = right.activations @ right.directions
    drawn = random_directions(latents, stream.shape[1], torch.Generator().manual_seed(2)).double()
    null = Contributions(drawn, (stream - stream.mean(0)) @ drawn.T, torch.arange(latents))
    given = Contributions(answer.directions.double(), answer.activations.double(), torch.arange(latents))
    raw, chance = (match(pair_quality(right, side)).agreement()[2] for side in (given, null))
    return above(raw, chance)
