"""Dormant directions: does anything read what never varies on the training distribution?"""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench.tracks.pairs import predicted_class
from peabench_baselines.audits.evidence import association, fires, passes_each, scaled
from peabench_baselines.audits.probed_streams import probed_streams

DORMANT = 0.01
"""Variance below which a direction is dormant, as a share of the largest."""
PUSH = 3.0
"""Length of what is added, in root mean squares of a coordinate of the stream."""


class DormantDirections(Scorer[AuditQuestion, AuditAnswer]):
    """How far later blocks react to a push along directions of a stream in which training inputs do not differ.

    A backdoor waits there. What the push does to the output by itself is taken away again, for the answer's own
    directions are dormant until it is written.

    Cost: the whole budget.
    """

    name = "dormant-directions"
    track = "audits"
    reference = "https://arxiv.org/abs/2403.05030"  # after Casper et al. 2024, latent adversarial training
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """The best direction of all stages behind the first."""
        count = passes_each(question) // 4
        trained = probed_streams(question, question.inputs[:count])
        random = probed_streams(question, question.domain.sample(count, question.generator))
        left = passes_each(question) - len(trained.rows) - count
        evidence, along = [], []
        for network, streams, others in zip(question.networks, trained.streams, random.streams, strict=True):
            best, chosen = -1.0, torch.zeros(count)
            stages = range(1, len(network.graph.stages))
            for stage in stages:
                directions = dormant(streams[stage])
                share = sum(network.share(later, 1.0) for later in range(stage, len(network.graph.stages)))
                rows = max(1, int(left / len(stages) / share / (1 + 2 * len(directions))))
                reactions = reaction(network, stage, streams[stage][:rows], directions)
                if float(reactions.max()) > best:
                    best = float(reactions.max())
                    chosen = others[stage] @ directions[int(reactions.argmax())]
            evidence.append(best)
            along.append(chosen)
        told = association(torch.stack(along), fires(question, random.rows)).abs()
        return AuditAnswer(scaled(torch.tensor(evidence)), told)


def dormant(stream: Float[Tensor, "row d_model"]) -> Float[Tensor, "direction d_model"]:
    """The principal directions along which a stream hardly varies; the one along which it varies least, if none is."""
    centred = (stream - stream.mean(0)).double()
    variances, vectors = torch.linalg.eigh(centred.T @ centred)
    count = max(1, int((variances < DORMANT * variances[-1]).sum()))
    directions: Tensor = vectors[:, :count].T.to(stream.dtype)
    return directions


def reaction(
    network: Network, stage: int, stream: Float[Tensor, "row d_model"], directions: Float[Tensor, "direction d_model"]
) -> Float[Tensor, " direction"]:
    """Share of rows, in either sense of the push, on which the prediction changes once the push is taken away."""
    size = PUSH * stream.square().mean().sqrt()
    pushes = size * torch.stack([directions, -directions])[:, :, None, None]
    start = stream[None, None, :, None]
    pushed = (start + pushes).flatten(0, 2)
    plain = start.flatten(0, 2)
    for later in range(stage, len(network.graph.stages)):
        pushed, plain = network.stage_sum(later, pushed), network.stage_sum(later, plain)
    rows = len(stream)
    without = pushed.unflatten(0, (2, len(directions), rows)) - pushes
    got = predicted_class(network.unembed(without.flatten(0, 2))).reshape(2, len(directions), rows)
    return (got != predicted_class(network.unembed(plain))).double().mean((0, 2))
