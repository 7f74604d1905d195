"""Whether moving activations by a recovered latent does what moving them by the true feature does."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.interventions import Activations, run_with_cache
from peabench.interventions.sites import locate
from peabench.mechanism import Boolean
from peabench.networks import Network
from peabench.tasks import Task
from peabench.tracks.feature_matching import Matching
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.feature_truth import FeatureTruth, is_own_network
from peabench.tracks.pairs import generator_from
from peabench.true_features import Contributions, exceptions

PAIRS = 1 << 16
"""Pairs of points for all features together, and for each at most `MOST`."""
MOST = 512
ROWS_AT_A_TIME = 8192


def causal_agreement(
    task: Task, question: FeatureQuestion, truth: FeatureTruth, answered: Contributions, matching: Matching
) -> dict[str, float]:
    """`causal`: how often the output is the same as under the true feature's move, 2a - 1; nothing on a twin.

    In each pair of points a base's activations are moved by what the true feature adds more in the source, and by what
    its matched latent does, as answered: its own firing, direction and scale. a is the mean over pairs whose output the
    true move changes and pairs whose it does not; leaving the base alone earns 0.
    """
    if not is_own_network(task, question, truth.inputs):
        return {}
    network, graded = task.network(), truth.graded
    count = max(1, min(MOST, PAIRS // graded.count))
    base, source = (index.flatten() for index in _pairs(graded, count, task, question))
    feature = torch.arange(graded.count).repeat_interleave(count)
    latent = matching.answered[feature]
    ran = run_with_cache(network, truth.inputs)
    right, changes = [], []
    for some in torch.arange(len(base)).split(ROWS_AT_A_TIME):
        rows = base[some], source[some]
        nothing = torch.zeros(len(some), graded.directions.shape[1], dtype=torch.float64)
        moves = nothing, _move(graded, feature[some], *rows), _move(answered, latent[some], *rows)
        before, true, found = (_outputs(task, network, ran, question.site, rows[0], move) for move in moves)
        changes.append((true != before).any(1))
        right.append((true == found).all(1))
    return _balanced(torch.cat(right), torch.cat(changes))


def _pairs(
    graded: Contributions, count: int, task: Task, question: FeatureQuestion
) -> tuple[Int[Tensor, "feature pair"], Int[Tensor, "feature pair"]]:
    """Points of each feature: in half of the pairs one does what the feature does rarely and one what it does mostly,
    in either order; in the other half both do the latter.
    """
    generator = generator_from(task.record.model_dump_json(), question.site, str(question.draw), "effects")
    first = torch.stack([some[0] for some in graded.members()])
    rare = exceptions(graded.activations[:, first]).T.double()
    mostly = torch.where((rare == 1).all(1, keepdim=True), rare, 1 - rare)
    one, other = (torch.multinomial(kind, count, True, generator=generator) for kind in (rare, mostly))
    third = torch.multinomial(mostly, count, True, generator=generator)
    kind = torch.arange(count) % 4
    return torch.where(kind == 0, one, other), torch.where(kind == 1, one, third)


def _move(
    side: Contributions, feature: Int[Tensor, " pair"], base: Int[Tensor, " pair"], source: Int[Tensor, " pair"]
) -> Float[Tensor, "pair d_model"]:
    """What each pair's feature (-1: none) adds more at the source than at the base."""
    move = torch.zeros(len(feature), side.directions.shape[1], dtype=side.directions.dtype)
    members = side.members()
    sizes = torch.tensor([len(some) for some in members])
    for member in range(int(sizes.max())):
        has = (feature >= 0) & (sizes[feature] > member)
        number = torch.tensor([int(some[member]) if len(some) > member else 0 for some in members])[feature[has]]
        change = side.activations[source[has], number] - side.activations[base[has], number]
        move[has] += change[:, None] * side.directions[number]
    return move


def _outputs(
    task: Task, network: Network, ran: Activations, site: str, rows: Int[Tensor, " pair"], move: Float[Tensor, "pair d"]
) -> Int[Tensor, "pair output"]:
    """What the network predicts once its activations at the site are moved: a class, or a yes or no for each logit."""
    stage, _, positions = locate(network, site)
    resid = ran.resid[stage].transpose(0, 1)[rows].clone()
    resid[:, positions] += move.float()[:, None]
    with torch.no_grad():
        for later in range(stage, len(network.graph.stages)):
            resid = network.stage_sum(later, resid)
        last = network.unembed(resid[:, -1])
    model = task.mechanism.causal_model
    kind = model.kinds[model.output]
    several = isinstance(kind, Boolean) and kind.length is not None
    return (last > 0).long() if last.shape[1] == 1 or several else last.argmax(1, keepdim=True)


def _balanced(right: Bool[Tensor, " pair"], changes: Bool[Tensor, " pair"]) -> dict[str, float]:
    if not bool(changes.any()):
        return {}
    kinds = [right[kind].double().mean() for kind in (changes, ~changes) if bool(kind.any())]
    return {"causal": float(2 * torch.stack(kinds).mean() - 1)}
