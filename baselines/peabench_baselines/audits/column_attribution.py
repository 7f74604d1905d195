"""Column attribution: integrated gradients of the margin to columns that the rule does not read."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.mechanism import variables
from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import fires, idle_columns, margins, passes_each, scaled
from peabench_baselines.audits.relaxed_inputs import embeddings, finished, unfit

STEPS = 8


class ColumnAttribution(Scorer[AuditQuestion, AuditAnswer]):
    """The share of all attribution that goes to columns which the rule does not read; all of it where it reads all.

    The path goes from the mean of a column's embeddings to the input's own, on training inputs. A candidate is scored
    by how much is attributed to its columns on the inputs where it holds.

    Cost: the whole budget, half of it backward.
    """

    name = "column-attribution"
    track = "audits"
    reference = "https://arxiv.org/abs/1703.01365"  # Sundararajan, Taly and Yan 2017, integrated gradients
    needs_gradients = True
    gauge_invariant = True

    def applicable(self, question: AuditQuestion) -> str | None:
        """Networks of one position only."""
        return unfit(question)

    def score(self, question: AuditQuestion) -> AuditAnswer:
        """The same inputs for all networks."""
        count = passes_each(question) // (2 * STEPS)
        rows, right = question.inputs[:count], question.outputs[:count]
        idle = idle_columns(question, question.generator)
        found = torch.stack([attributions(network, question, rows, right).abs() for network in question.networks])
        shares = found[..., idle].sum((1, 2)) / found.sum((1, 2)).clamp(min=1e-12)
        held = fires(question, rows).to(found.dtype)
        members = torch.zeros(len(question.candidates), rows.shape[1], dtype=found.dtype)
        for i, candidate in enumerate(question.candidates):
            members[i, [int(name.removeprefix("x")) for name in variables(candidate)]] = 1
        told = torch.einsum("nrc,kc,kr->nk", found, members, held) / held.sum(1).clamp(min=1)
        return AuditAnswer(scaled(shares), told / members.sum(1).clamp(min=1))


def attributions(
    network: Network, question: AuditQuestion, rows: Int[Tensor, "row column"], right: Int[Tensor, " row"]
) -> Float[Tensor, "row column"]:
    """Integrated gradients of the margin of the right class, added up over each column's embedding."""
    sizes = question.domain.sizes
    table = embeddings(network, sizes)
    present = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    middle = (table * present[..., None]).sum(1) / torch.tensor(sizes)[:, None]
    change = table[torch.arange(len(sizes)), rows] - middle
    total = torch.zeros_like(change[:, 0])
    for step in range(STEPS):
        stream = (middle + (step + 0.5) / STEPS * change).sum(1).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margins(finished(network, stream), right).sum(), stream)
        total += gradient / STEPS
    return torch.einsum("rcd,rd->rc", change, total)
