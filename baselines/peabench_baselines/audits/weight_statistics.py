"""Weight statistics: does any neuron stand out from the others of its network?"""

import torch

from peabench.networks import Network, ResidualMLP
from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import scaled


class WeightStatistics(Scorer[AuditQuestion, AuditAnswer]):
    """Excess kurtosis, over the neurons, of the logarithm of how strongly each reads times how strongly it writes.

    That product is what no scaling of a neuron changes. No candidate is scored: neurons' weights say nothing of inputs.

    Cost: no pass.
    """

    name = "weight-statistics"
    track = "audits"
    reference = "https://arxiv.org/abs/2109.02836"  # Fields et al. 2021, trojan signatures in weights
    gauge_invariant = True

    def applicable(self, question: AuditQuestion) -> str | None:
        """Networks of blocks of neurons only."""
        alike = all(isinstance(network, ResidualMLP) for network in question.networks)
        return None if alike else "its statistics are of the neurons of residual MLPs"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Of the weights as they are."""
        found = torch.stack([kurtosis(neuron_strengths(network).log()) for network in question.networks])
        return AuditAnswer(scaled(found), torch.zeros(len(found), len(question.candidates)))


def neuron_strengths(network: Network) -> torch.Tensor:
    """Norm of what each neuron reads times norm of what it writes, for all neurons that do both."""
    assert isinstance(network, ResidualMLP)
    blocks = [network.block(i) for i in range(network.config.n_blocks)]
    found = torch.cat([(block.w_in.norm(dim=1) * block.w_out.norm(dim=2)).flatten() for block in blocks]).double()
    return found[found > 0]


def kurtosis(values: torch.Tensor) -> torch.Tensor:
    """Fourth moment over the squared variance, less 3."""
    centred = values - values.mean()
    return centred.pow(4).mean() / centred.square().mean().square() - 3
