"""Fourier spectrum of activations: at which frequencies do neurons vary with the numbers?"""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench_baselines.algorithms.frequencies import frequency_fits, modulus_of, reason_against_frequencies
from peabench_baselines.universality.neuron_spectra import hidden_neurons, power_spectra, reason_against_spectra


class ActivationSpectrum(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """How well each set of frequencies fits the power of hidden neurons at them, each neuron weighing alike.

    Cost: one pass of the whole domain.
    """

    name = "activation-spectrum"
    track = "algorithms"
    reference = "https://arxiv.org/abs/2301.05217"  # Nanda et al. 2023, neuron clusters by frequency
    gauge_invariant = True

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines hypotheses without frequencies, and networks without neurons."""
        return reason_against_frequencies(question) or reason_against_spectra((question.network,), question.domain)

    @torch.no_grad()
    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """Neurons as functions of both numbers."""
        spectra = power_spectra(hidden_neurons(question.network, question.domain), question.domain)
        power = frequency_power(spectra.sum(0), question.domain, modulus_of(question))
        return AlgorithmAnswer(frequency_fits(power, question))


def frequency_power(
    power: Float[Tensor, " character"], domain: ProductDomain, modulus: int
) -> Float[Tensor, " frequency"]:
    """Power at frequencies 0, 1, ... p // 2: of the characters in which every column has mode 0, k or -k, not all 0."""
    modes = domain.all()
    folded = torch.minimum(modes, modulus - modes) * (modes > 0)
    highest = folded.amax(1)
    pure = ((folded == 0) | (folded == highest[:, None])).all(1)
    found = torch.zeros(modulus // 2 + 1, dtype=power.dtype)
    return found.index_add(0, highest[pure], power[pure])
