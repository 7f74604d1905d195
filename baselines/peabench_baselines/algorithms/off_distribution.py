"""Off-distribution behaviour: what the network says between two inputs, against what each hypothesis would."""

import torch
from jaxtyping import Float, Int
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import normalize

from peabench.interventions import run_with_cache
from peabench.mechanism import CausalModel
from peabench.mechanism.kinds import bounds
from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench.tracks.pairs import predicted_class
from peabench_baselines.algorithms.claimed_variables import reason_against_variables
from peabench_baselines.algorithms.mean_field import half_way, mean_field, reason_against_mean_field

PAIRS = 1024


class OffDistribution(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """Rank correlation of the network's preference between two outputs, half-way between two inputs that have them,
    with each hypothesis's.

    Half-way is the mean of the two embeddings, an input that the network never met. A hypothesis says how likely its
    output is there, computed variable by variable (mean field). What goes on inside is not looked at; it is a null, for
    a method that looks inside has to earn more.

    Cost: two passes of all inputs, one of up to 1,024.
    """

    name = "off-distribution"
    track = "algorithms"
    reference = "https://arxiv.org/abs/1710.09412"  # Zhang et al. 2017, mixup: inputs between inputs
    gauge_invariant = True
    role = "null"

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines hypotheses without variables, and variables whose values are too many to be gone through."""
        reasons = [reason_against_variables(question)]
        reasons += [reason_against_mean_field(h.causal_model) for h in question.hypotheses if h.causal_model]
        return next((reason for reason in reasons if reason is not None), None)

    @torch.no_grad()
    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """On pairs with different outputs."""
        base, source = question.base, question.source
        outputs = [predicted_class(question.network(inputs)) for inputs in (base, source)]
        rows = (outputs[0] != outputs[1]).nonzero()[:PAIRS, 0]
        if not len(rows):
            return AlgorithmAnswer(torch.zeros(len(question.hypotheses)))
        base, source = base[rows], source[rows]
        one, other = (output[rows] for output in outputs)
        preferences = [network_preference(question.network, base, source, one, other)]
        models = [h.causal_model for h in question.hypotheses if h.causal_model is not None]
        preferences += [model_preference(model, base, source, one, other) for model in models]
        ranks = torch.from_numpy(rankdata(torch.stack(preferences).round(decimals=5).numpy(), axis=1))
        units = normalize(ranks - ranks.mean(1, keepdim=True))
        return AlgorithmAnswer(units[1:] @ units[0])


def network_preference(
    network: Network,
    base: Int[Tensor, "row column"],
    source: Int[Tensor, "row column"],
    one: Int[Tensor, " row"],
    other: Int[Tensor, " row"],
) -> Float[Tensor, " row"]:
    """Logit of output `one` less that of `other`, at the last position of the mean of the two embedded inputs."""
    embedded = (network.embedding_nodes(base) + network.embedding_nodes(source)) / 2
    last = run_with_cache(network, base, embedded).logits[:, -1].double()
    if last.shape[-1] == 1:
        return last[:, 0] * (one - other)
    return (last.gather(1, one[:, None]) - last.gather(1, other[:, None]))[:, 0]


def model_preference(
    model: CausalModel,
    base: Int[Tensor, "row column"],
    source: Int[Tensor, "row column"],
    one: Int[Tensor, " row"],
    other: Int[Tensor, " row"],
) -> Float[Tensor, " row"]:
    """Chance of output `one` less that of `other`."""
    chances = mean_field(model, half_way(model, base, source))[model.output]
    limits = bounds(model.kinds[model.output])
    low = limits[0] if limits is not None else 0
    return (chances.gather(1, (one - low)[:, None]) - chances.gather(1, (other - low)[:, None]))[:, 0]
