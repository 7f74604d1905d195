"""Transfer of interchange interventions: does what matters in one network do the same in another?"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions import SubspacePatch, run_patched
from peabench.scorers import Scorer
from peabench.tracks.pairs import predicted_class
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion
from peabench_baselines.circuits.base_margin import base_margin
from peabench_baselines.universality.streams import Streams, fitted_map, paired_stages, streams

PAIRS = 256
FITTED = 512
"""Inputs on which the subspaces of one network are looked for in another."""
DIRECTIONS = 4
FAINT = 1e-3
"""Of the largest singular value of the gradients: directions below have no effect to be compared."""


class InterchangeTransfer(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """How often an interchange in one network, and that of the matching subspace of the other, give the same output;
    the mean over both directions and over layers of equal relative depth.

    The subspaces are those that the first network's margin is most sensitive to: its leading gradient directions, one
    by one and the first two, three, ... of them together. The other's match is spanned by the directions that predict
    their coordinates best (ridge regression on activations alone). Model Alignment Search trains such maps for what
    they do; here what they do is left for the score. Agreement is balanced: interchanges that change the first
    network's output count as much as those that do not, and copying the base earns 0.

    Cost: for n networks of l layers, 3 n passes, n l backward, and up to 7 n^2 l parts of a pass, of 256 inputs.
    """

    name = "interchange-transfer"
    track = "universality"
    reference = "https://arxiv.org/abs/2501.06164"  # Grant 2025, Model Alignment Search; interchange: arXiv:2106.02997
    needs_gradients = True

    @torch.no_grad()
    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """Bases and sources are drawn from the question's inputs."""
        rows = torch.randint(len(question.inputs), (2, PAIRS), generator=question.generator)
        base, source = question.inputs[rows]
        runs = [
            (streams(network, base), streams(network, source), streams(network, question.inputs[:FITTED]))
            for network in question.networks
        ]
        share = torch.rand(PAIRS, 1, generator=question.generator)
        interchanged = [Interchanged.of(*run, share) for run in runs]
        found = []
        for one, other in question.pairs.tolist():
            both = transfer(interchanged[one], interchanged[other]), transfer(interchanged[other], interchanged[one])
            found.append(sum(both) / 2)
        return UniversalityAnswer(torch.tensor(found, dtype=torch.float64))


@dataclass(frozen=True)
class Interchanged:
    """A network with its most effective subspaces, stage by stage, and what interchanging them makes it predict."""

    base: Streams
    source: Streams
    fitting: Streams
    directions: dict[int, Float[Tensor, "feature k"]]
    """Before each stage, as far as activations vary along them."""
    predicted: dict[int, Int[Tensor, "subspace pair"]]

    @classmethod
    def of(cls, base: Streams, source: Streams, fitting: Streams, share: Float[Tensor, "pair 1"]) -> "Interchanged":
        """All runs of one network by itself, given its runs on base, source and other inputs.

        Gradients are taken at these shares of the way from base to source.
        """
        directions, predicted = {}, {}
        for stage in base.stages:
            sensitive = sensitive_directions(base, source, stage, share)
            directions[stage] = varying(fitting, stage, sensitive)
            predicted[stage] = interchanged(base, source, stage, subspaces(directions[stage]))
        return cls(base, source, fitting, directions, predicted)


def transfer(one: Interchanged, other: Interchanged) -> float:
    """Balanced agreement, -1 to 1, of `other` with the interchanges of `one` all together, the mean over layers."""
    found = []
    for mine, theirs in paired_stages(one.base.stages, other.base.stages):
        coordinates = one.fitting.features(mine) @ one.directions[mine]
        found_again = fitted_map(other.fitting.features(theirs), coordinates).weights
        predicted = interchanged(other.base, other.source, theirs, subspaces(found_again))
        unchanged = predicted_class(one.base.run.logits).repeat(len(predicted))
        found.append(balanced_agreement(predicted.flatten(), one.predicted[mine].flatten(), unchanged))
    return float(torch.stack(found).mean())


def balanced_agreement(
    predicted: Int[Tensor, "*any pair"], expected: Int[Tensor, "*any pair"], unchanged: Int[Tensor, " pair"]
) -> Float[Tensor, "*any"]:
    """2a - 1, a being the mean of the agreement where something else than `unchanged` is expected and where it is not,
    or on the only kind there is.
    """
    right = (predicted == expected).double()
    changes = (expected != unchanged).double().expand_as(right)
    kinds = torch.stack([changes, 1 - changes])
    return 2 * ((right * kinds).sum(-1) / kinds.sum(-1)).nanmean(0) - 1


def interchanged(
    base: Streams, source: Streams, stage: int, bases: Float[Tensor, "subspace feature k"]
) -> Int[Tensor, "subspace pair"]:
    """What the network predicts with the coordinates of its features in each subspace taken from the source run."""
    own = base.features(stage)
    change = source.features(stage) - own
    return base.outcomes(stage, own + (change @ bases) @ bases.mT)


def subspaces(directions: Float[Tensor, "feature k"]) -> Float[Tensor, "subspace feature k"]:
    """Orthonormal bases of each direction, then of the first two, three, ... k together; columns not in use are 0."""
    count = directions.shape[1]
    units = torch.nn.functional.normalize(directions, dim=0)
    alone = units * torch.eye(count)[:, None]
    together = torch.linalg.qr(directions).Q * torch.ones(count, count).tril()[1:, None]
    return torch.cat([alone, together])


def varying(run: Streams, stage: int, directions: Float[Tensor, "feature k"]) -> Float[Tensor, "feature k"]:
    """The directions that predict a network's coordinates from its own activations: parts along which these do not
    vary, which no other network could be asked for, are gone.
    """
    features = run.features(stage)
    return fitted_map(features, features @ directions).weights


def sensitive_directions(
    base: Streams, source: Streams, stage: int, share: Float[Tensor, "pair 1"]
) -> Float[Tensor, "feature k"]:
    """The leading right singular vectors of the gradients of the margin with the base's own prediction, at some share
    of the way from base to source: at the inputs themselves a network that decides by steps has none.
    """
    metric = base_margin(base.network, base.run.inputs)
    own = base.features(stage)
    features = torch.lerp(own, source.features(stage), share).requires_grad_()
    with torch.enable_grad():
        identity = torch.eye(base.network.config.d_model)[None]
        patch = SubspacePatch(stage, identity, base.stream(stage, features[None]))
        logits = run_patched(base.network, base.run, subspaces=[patch])
        (gradients,) = torch.autograd.grad(metric(logits).sum(), features)
    _, sizes, directions = torch.linalg.svd(gradients, full_matrices=False)
    kept = max(1, int((sizes[:DIRECTIONS] > FAINT * sizes[0]).sum()))
    leading: Tensor = directions[:kept].T.contiguous()
    return leading
