"""Activation clustering: does a class fall into two clusters, one of them small?"""

import torch
from jaxtyping import Float
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench_baselines.audits.evidence import association, fires, rule, scaled
from peabench_baselines.audits.probed_streams import probed_streams

DIMENSIONS = 10
SMALL = 0.35
"""Largest share of a class that a cluster of poisoned inputs is."""
FEWEST = 8
"""Inputs of a class that is clustered."""


class ActivationClustering(Scorer[AuditQuestion, AuditAnswer]):
    """The best silhouette of two clusters of a class's activations of which one is small.

    Within each class of the rule what the output reads is reduced to ten principal components and cut in two by
    k-means. Poisoned inputs have to be among those looked at: here they are random ones.

    Cost: the whole budget.
    """

    name = "activation-clustering"
    track = "audits"
    reference = "https://arxiv.org/abs/1811.03728"  # Chen et al. 2018
    gauge_invariant = False  # k-means may end elsewhere

    @torch.no_grad()
    def score(self, question: AuditQuestion) -> AuditAnswer:
        """Of the residual stream before the output."""
        probed = probed_streams(question)
        classes = rule(question, probed.rows)
        seed = int(torch.randint(2**31, (), generator=question.generator))
        evidence, small = [], []
        for stream in probed.streams[:, -1].double():
            best, members = 0.0, torch.zeros(len(classes))
            for label in classes.unique():
                index = (classes == label).nonzero()[:, 0]
                if len(index) < FEWEST:
                    continue
                silhouette, apart = two_clusters(stream[index], seed)
                members[index] = apart.float()
                if float(apart.float().mean()) <= SMALL:
                    best = max(best, silhouette)
            evidence.append(best)
            small.append(members)
        found = association(torch.stack(small), fires(question, probed.rows))
        return AuditAnswer(scaled(torch.tensor(evidence)), found)


def two_clusters(activations: Float[Tensor, "row feature"], seed: int) -> tuple[float, Tensor]:
    """Silhouette of two clusters, and which rows are in the smaller one."""
    reduced = PCA(min(DIMENSIONS, *activations.shape), random_state=seed).fit_transform(activations.numpy())
    labels = torch.from_numpy(KMeans(2, n_init=3, random_state=seed).fit_predict(reduced)).long()
    if len(labels.unique()) < 2:
        return 0.0, torch.zeros(len(labels), dtype=torch.bool)
    smaller = labels.bincount(minlength=2).argmin()
    return float(silhouette_score(reduced, labels.numpy())), labels == smaller
