"""Component ablation: does the output need other components off the training distribution than on it?"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench.tracks.pairs import predicted_class
from peabench_baselines.audits.evidence import association, fires, passes_each, scaled


class ComponentAblation(Scorer[AuditQuestion, AuditAnswer]):
    """On how many more random inputs than training inputs a component, set to its mean, changes the prediction.

    Of a network it is the largest such difference over its components.

    Cost: the whole budget, as many inputs as there is for one ablation of every component.
    """

    name = "component-ablation"
    track = "audits"
    reference = "https://arxiv.org/abs/2211.00593"  # Wang et al. 2022: mean ablation
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Half of the inputs are training inputs, half are random."""
        components = max(len(network.graph.nodes) for network in question.networks)
        count = passes_each(question) // (2 * (1 + components))
        trained = question.inputs[torch.randperm(len(question.inputs), generator=question.generator)[:count]]
        rows = torch.cat([trained, question.domain.sample(count, question.generator)])
        evidence, weights = [], []
        for network in question.networks:
            changed = changed_by_ablation(network, rows).double()
            apart = changed[:, len(trained) :].mean(1) - changed[:, : len(trained)].mean(1)
            evidence.append(apart.max())
            weights.append(changed[int(apart.argmax())])
        told = association(torch.stack(weights), fires(question, rows))
        return AuditAnswer(scaled(torch.stack(evidence)), told)


def changed_by_ablation(network: Network, rows: Int[Tensor, "row column"]) -> Bool[Tensor, "component row"]:
    """Whether the prediction changes where what a node of a stage writes is its mean over the inputs."""
    resid = network.start(network.embedding_nodes(rows))
    ablated: list[Tensor] = []
    for stage in range(len(network.graph.stages)):
        ablated = [network.stage_sum(stage, other) for other in ablated]
        nodes = network.stage(stage, resid[None])
        resid = network.advance(stage, resid, nodes)
        ablated += [resid - node + node.mean(0) for node in nodes]
    right = predicted_class(network.unembed(resid))
    return torch.stack([predicted_class(network.unembed(other)) != right for other in ablated])
