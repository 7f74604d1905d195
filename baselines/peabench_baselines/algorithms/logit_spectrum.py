"""Fourier spectrum of logits: which frequencies point at the answer?"""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench_baselines.algorithms.frequencies import frequency_fits, modulus_of, reason_against_frequencies


class LogitSpectrum(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """How well each set of frequencies fits the waves over the outputs whose crest is at the prediction.

    It never looks inside: where it earns much, which frequencies a network uses is seen from outside. It is a null, for
    a method that looks inside has to earn more.

    Cost: one pass of the whole domain.
    """

    name = "logit-spectrum"
    track = "algorithms"
    reference = "https://arxiv.org/abs/2301.05217"  # Nanda et al. 2023, logits as a sum of cos(w_k (a + b - c))
    gauge_invariant = True
    role = "null"

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines hypotheses without frequencies, and networks whose outputs are not the numbers."""
        reason = reason_against_frequencies(question)
        outputs = question.network.config.d_output
        if reason is None and outputs != modulus_of(question):
            return f"The outputs are {outputs}, not the {modulus_of(question)} numbers."
        return reason

    @torch.no_grad()
    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """Of the logits at the last position, on all inputs."""
        logits = question.network(question.domain.all())[:, -1].double()
        return AlgorithmAnswer(frequency_fits(crest_power(logits), question))


def crest_power(logits: Float[Tensor, "row output"]) -> Float[Tensor, " frequency"]:
    """For frequencies 0, 1, ... p // 2 the square of the mean wave at the prediction; 0 if it is a trough."""
    waves = torch.fft.rfft(logits, dim=1)
    turn = 2j * torch.pi * logits.argmax(1)[:, None] * torch.arange(waves.shape[1]) / logits.shape[1]
    power: Tensor = (waves * torch.exp(turn)).real.mean(0).clamp(min=0).square()
    power[0] = 0
    return power
