"""Fourier spectrum of weights: at which frequencies are the numbers embedded?"""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network, ResidualMLP, Transformer
from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench_baselines.algorithms.frequencies import frequency_fits, modulus_of, reason_against_frequencies


class WeightSpectrum(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """How well each set of frequencies fits the power of the embedding over the frequencies of the numbers.

    Cost: no pass.
    """

    name = "weight-spectrum"
    track = "algorithms"
    reference = "https://arxiv.org/abs/2301.05217"  # Nanda et al. 2023, key frequencies
    gauge_invariant = True

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines hypotheses without frequencies, and networks without a table of numbers."""
        network = question.network
        if isinstance(network, ResidualMLP) and network.config.words is None:
            return "The network embeds columns of 0 and 1, not numbers."
        if not isinstance(network, ResidualMLP | Transformer):
            return f"The weights of a {type(network).__name__} are not known to it."
        return reason_against_frequencies(question)

    @torch.no_grad()
    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """The power of both numbers' embeddings together."""
        tables = embedding_tables(question.network, modulus_of(question))
        power = sum(table_power(table) for table in tables)
        assert isinstance(power, Tensor)
        return AlgorithmAnswer(frequency_fits(power, question))


def embedding_tables(network: Network, modulus: int) -> list[Float[Tensor, "value d_model"]]:
    """What the first two columns' numbers are embedded as."""
    if isinstance(network, ResidualMLP):
        words = network.config.words or ()
        return [network.w_embed[first : first + modulus] for first, _ in words[:2]]
    if isinstance(network, Transformer):
        return [network.w_embed[:modulus]]
    raise TypeError(f"expected a ResidualMLP or a Transformer, got {type(network).__name__}")


def table_power(table: Float[Tensor, "value d_model"]) -> Float[Tensor, " frequency"]:
    """Power at frequencies 0, 1, ... p // 2, over all directions; at frequency 0, where all numbers are alike, 0."""
    power: Tensor = torch.fft.rfft(table.double(), dim=0).abs().square().sum(1)
    power[0] = 0
    return power
