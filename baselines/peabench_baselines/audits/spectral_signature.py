"""Spectral signature: inputs of one class that lie far along its activations' first singular direction."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import association, fires, rule, scaled
from peabench_baselines.audits.probed_streams import probed_streams


class SpectralSignature(Scorer[AuditQuestion, AuditAnswer]):
    """The largest outlier score of an input, relative to the mean one of its class.

    Within each class of the rule the activations that the output reads are centred; an input's outlier score is its
    squared projection on their first right singular vector. Poisoned inputs have to be among those looked at: here they
    are random ones.

    Cost: the whole budget.
    """

    name = "spectral-signature"
    track = "audits"
    reference = "https://arxiv.org/abs/1811.00636"  # Tran, Li and Madry 2018
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Of the residual stream before the output."""
        probed = probed_streams(question)
        outliers = outlier_scores(probed.streams[:, -1], rule(question, probed.rows))
        return AuditAnswer(scaled(outliers.amax(1)), association(outliers, fires(question, probed.rows)))


def outlier_scores(
    activations: Float[Tensor, "network row feature"], classes: Int[Tensor, " row"]
) -> Float[Tensor, "network row"]:
    """Squared projection of each row on the first singular vector of its class, over the class's mean."""
    found = torch.zeros(activations.shape[:2], dtype=torch.float64)
    for label in classes.unique():
        members = classes == label
        some = activations[:, members].double()
        some = some - some.mean(1, keepdim=True)
        first = torch.linalg.svd(some, full_matrices=False).Vh[:, 0]
        squares = torch.einsum("nrf,nf->nr", some, first).square()
        found[:, members] = squares / squares.mean(1, keepdim=True).clamp(min=1e-12)
    return found
