"""Read dimensions: how many directions does the unit that decides the output read?"""

import torch

from peabench.networks import Network, ResidualMLP
from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import scaled

FAINT = 0.01
"""Share of the largest singular value below which a direction is not read."""


class ReadDimensions(Scorer[AuditQuestion, AuditAnswer]):
    """The rank of what the last block's strongest unit reads, each neuron by how strongly it writes.

    It knows how these networks are put together: a unit that reads a trigger too reads one direction more. Where
    networks without a defect read as much, it is blind. No candidate is scored.

    Cost: no pass.
    """

    name = "read-dimensions"
    track = "audits"
    reference = "https://arxiv.org/abs/2109.02836"  # after Fields et al. 2021, trojan signatures in weights
    gauge_invariant = True

    def applicable(self, question: AuditQuestion) -> str | None:
        """Networks of blocks of neurons only."""
        alike = all(isinstance(network, ResidualMLP) for network in question.networks)
        return None if alike else "its ranks are of the units of residual MLPs"

    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Of the weights as they are."""
        found = torch.stack([read_dimensions(network) for network in question.networks]).double()
        return AuditAnswer(scaled(found), torch.zeros(len(found), len(question.candidates)))


@torch.no_grad()
def read_dimensions(network: Network) -> torch.Tensor:
    """Singular values of the input weights above `FAINT` of the first, of the unit that writes most to the output."""
    assert isinstance(network, ResidualMLP)
    block = network.block(network.config.n_blocks - 1)
    unit = (block.w_out @ network.w_output).flatten(1).norm(dim=1).argmax()
    values = torch.linalg.svdvals((block.w_in[unit] * block.w_out[unit].norm(dim=1)).double())
    counted: torch.Tensor = (values > FAINT * values[0]).sum()
    return counted
