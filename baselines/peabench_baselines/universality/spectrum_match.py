"""Spectrum match: do two networks' neurons compute functions of the same frequencies?"""

import torch
from torch.nn.functional import normalize

from peabench.scorers import Scorer
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion
from peabench_baselines.universality.neuron_spectra import hidden_neurons, power_spectra, reason_against_spectra


class SpectrumMatch(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """Cosine of the two networks' spectra: the mean power of their hidden neurons over the characters of the domain.

    Characters are Fourier modes, or parities of columns of 0 and 1. Neurons weigh alike, whatever they are scaled by;
    those that never vary are left out. Networks of one algorithm and other frequencies are different to it.

    Cost: one pass of the whole domain through each network.
    """

    name = "spectrum-match"
    track = "universality"
    reference = "https://arxiv.org/abs/2301.05217"  # Nanda et al. 2023, key frequencies
    gauge_invariant = True

    def applicable(self, question: UniversalityQuestion) -> str | None:
        """Declines domains too large to be transformed, and networks without neurons."""
        return reason_against_spectra(question.networks, question.domain)

    @torch.no_grad()
    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """One spectrum per network."""
        domain = question.domain
        spectra = [power_spectra(hidden_neurons(network, domain), domain).sum(0) for network in question.networks]
        units = normalize(torch.stack(spectra))
        return UniversalityAnswer((units @ units.T)[question.pairs[:, 0], question.pairs[:, 1]])
