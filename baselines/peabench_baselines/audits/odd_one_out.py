"""Odd one out: which network is put together as the fewest others are?"""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network, ResidualMLP
from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import scaled

LIKE = 2
"""Other networks to which one is compared: those it is nearest to."""
READ = 0.06
"""Overlap of what one unit writes with what another reads, from which on it is read: it is less by chance."""


class OddOneOut(Scorer[AuditQuestion, AuditAnswer]):
    """Distance of a network from the two that are wired most alike: which units the output's unit reads.

    Units are told by figures of their neurons that no gauge changes, and are the same in networks that were put
    together from the same ones. It runs nothing and never asks what the rule says, and is a null: what it earns, the
    way in which a task's networks were chosen tells. No candidate is scored.

    Cost: no pass.
    """

    name = "odd-one-out"
    track = "audits"
    reference = "https://arxiv.org/abs/2002.05688"  # after Unterthiner et al. 2020, what weights alone predict
    gauge_invariant = True
    role = "null"

    def applicable(self, question: AuditQuestion) -> str | None:
        """Networks of blocks of neurons only."""
        alike = all(isinstance(network, ResidualMLP) for network in question.networks)
        return None if alike else "its figures are of the units of residual MLPs"

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Of the weights as they are."""
        wired = torch.stack([wiring(network) for network in question.networks])
        nearest = torch.cdist(wired, wired).sort(1).values[:, 1 : 1 + LIKE]
        return AuditAnswer(scaled(nearest.sum(1)), torch.zeros(len(wired), len(question.candidates)))


def wiring(network: Network) -> Float[Tensor, " figure"]:
    """Figures of all units that the one which writes most to the output reads, summed, and how many these are."""
    assert isinstance(network, ResidualMLP)
    blocks = [network.block(i) for i in range(network.config.n_blocks)]
    reads = torch.cat([block.w_in for block in blocks]).double()
    biases = torch.cat([block.b_in for block in blocks]).double()
    writes = torch.cat([block.w_out for block in blocks]).double()
    lengths, written = reads.norm(dim=1), writes.norm(dim=2)
    strengths = lengths * written
    figures = torch.stack([strengths, biases * written], 2)
    order = strengths.argsort(1)[..., None].expand_as(figures)
    figures = figures.gather(1, order).flatten(1)

    units = network.config.n_units
    output = len(reads) - units + int((writes[-units:] @ network.w_output.double()).flatten(1).norm(dim=1).argmax())
    wanted = reads[output] * writes[output].norm(dim=1)
    given = (writes * lengths[..., None])[:-units]
    overlap = (given @ wanted).flatten(1).norm(dim=1) / (given.flatten(1).norm(dim=1) * wanted.norm()).clamp(min=1e-12)
    is_read = (overlap > READ).double()
    return torch.cat([is_read @ figures[:-units], is_read.sum()[None]])
