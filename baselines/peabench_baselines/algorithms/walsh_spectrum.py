"""Walsh-Hadamard spectrum: do neurons have the parities of a hypothesis's variables?"""

import torch
from torch.nn.functional import normalize

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench_baselines.algorithms.claimed_variables import claimed_classes, one_hot, reason_against_variables
from peabench_baselines.universality.neuron_spectra import hidden_neurons, power_spectra, reason_against_spectra


class WalshSpectrum(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """How much the power spectrum of each variable over the parities of the inputs is like that of the neuron most like
    it: the cosine, its mean over the hypothesis's variables.

    Parities are the Fourier modes of columns of 0 and 1. A variable of more than two values has the sum of the spectra
    of its values.

    Cost: one pass of the whole domain.
    """

    name = "walsh-spectrum"
    track = "algorithms"
    reference = "https://doi.org/10.1017/CBO9781139814782"  # O'Donnell 2014, Analysis of Boolean Functions
    supervision = "values of the hypotheses' variables"
    gauge_invariant = True

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines inputs other than 0 and 1, hypotheses without variables, and networks without neurons."""
        if max(question.domain.sizes) > 2:
            return "The inputs have columns of more than two values."
        return reason_against_variables(question) or reason_against_spectra((question.network,), question.domain)

    @torch.no_grad()
    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """Variables are known on every input, as neurons are."""
        domain = question.domain
        neurons = normalize(power_spectra(hidden_neurons(question.network, domain), domain))
        inputs, found = domain.all(), []
        for candidate in question.hypotheses:
            values = [power_spectra(one_hot(c).T, domain).sum(0) for c in claimed_classes(candidate, inputs)]
            found.append((normalize(torch.stack(values)) @ neurons.T).amax(1).mean())
        return AlgorithmAnswer(torch.stack(found))
