"""DAS interchange: can a subspace be trained for each variable of a hypothesis, so that its interchange does what the
hypothesis says?
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.interventions import Activations, interchange, run_with_cache, train_das
from peabench.interventions.activations import needed_positions
from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench.tracks.pairs import label_pairs, predicted_class
from peabench_baselines.algorithms.claimed_variables import claimed_classes, reason_against_variables
from peabench_baselines.universality.interchange_transfer import balanced_agreement
from peabench_baselines.variables.site_choice import cross_entropy

TESTED = 0.4
"""Share of the question's inputs on which subspaces are compared."""
TESTING_PAIRS = 2048
TRAINING_PAIRS = 4096
POOL = 2048
STEPS = 150
BATCH = 64
STARTS = 4
LEARNING_RATE = 0.1
MOST_DIMENSIONS = 6
SETTLED = 20
"""Last steps over whose mean loss starts are compared."""


@dataclass(frozen=True)
class Problems:
    """What interchanges of variables should do on the same pairs; equal ones of several hypotheses are one problem."""

    counterfactual: Int[Tensor, "problem pair"]
    base_output: Int[Tensor, " pair"]
    dimension: Int[Tensor, " problem"]
    """Columns of a subspace: one less than the variable has values, at most 6."""
    of_hypothesis: tuple[Int[Tensor, " variable"], ...]
    """The problems of each hypothesis's variables."""

    @property
    def should_change(self) -> Bool[Tensor, "problem pair"]:
        """Where the output should not stay what it is."""
        return self.counterfactual != self.base_output


class DASInterchange(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """A hypothesis has the balanced interchange accuracy of its worst variable, which has that of its best site.

    A variable of c values is sought in subspaces of c - 1 dimensions (at most 6) of the residual stream after each
    block but the last, at each position that still reaches the output; 150 steps of Adam for four starts. All variables
    of all hypotheses are trained side by side, pairs weighing so that outputs that should change count as much as those
    that should stay. The question's bases and sources are paired anew, each with any, so that there are many pairs of
    few inputs; accuracy is taken on pairs of inputs that were not trained on.

    Cost: 12,288 passes, and at each site 38,400 each way and 2,048 for every different variable.
    """

    name = "das-interchange"
    track = "algorithms"
    reference = "https://arxiv.org/abs/2303.02536"  # Geiger et al. 2023, distributed alignment search
    needs_gradients = True
    supervision = "counterfactual outputs of the hypotheses"

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines hypotheses without variables."""
        return reason_against_variables(question)

    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """One training per site and number of dimensions."""
        base, source = paired_anew(question)
        problems, tested = problems_of(question, base, source), TESTING_PAIRS
        with torch.no_grad():
            runs = run_with_cache(question.network, base), run_with_cache(question.network, source)
        accuracy = torch.stack(
            [self.site_accuracy(question, problems, runs, site, tested) for site in residual_sites(question.network)]
        ).amax(0)
        return AlgorithmAnswer(torch.stack([accuracy[variables].min() for variables in problems.of_hypothesis]))

    def site_accuracy(
        self,
        question: AlgorithmQuestion,
        problems: Problems,
        runs: tuple[Activations, Activations],
        site: str,
        tested: int,
    ) -> Float[Tensor, " problem"]:
        """Balanced accuracy on the first pairs of subspaces that are trained on the others."""
        base, source = (run.select(slice(0, tested)) for run in runs)
        found = torch.zeros(len(problems.counterfactual), dtype=torch.float64)
        for dimension in problems.dimension.unique().tolist():
            chosen = (problems.dimension == dimension).nonzero()[:, 0]
            bases = trained(question, problems, chosen, runs, site, tested, dimension)
            with torch.no_grad():
                predicted = predicted_class(interchange(question.network, base, source, site, bases))
            expected = problems.counterfactual[chosen, :tested]
            found[chosen] = balanced_agreement(predicted, expected, problems.base_output[:tested])
        return found


def paired_anew(question: AlgorithmQuestion) -> tuple[Int[Tensor, "pair column"], Int[Tensor, "pair column"]]:
    """Pairs of the first rows to be tested on, then pairs of the others to be trained on: any base with any source."""
    count = len(question.base)
    tested = min(max(1, int(TESTED * count)), max(1, count - 1))
    sides = []
    for inputs in (question.base, question.source):
        parts = inputs[:tested], inputs[tested:] if count > 1 else inputs
        drawn = [
            part[torch.randint(len(part), (pairs,), generator=question.generator)]
            for part, pairs in zip(parts, (TESTING_PAIRS, TRAINING_PAIRS), strict=True)
        ]
        sides.append(torch.cat(drawn))
    return sides[0], sides[1]


def problems_of(
    question: AlgorithmQuestion, base: Int[Tensor, "pair column"], source: Int[Tensor, "pair column"]
) -> Problems:
    """The counterfactual outputs of every inner variable of every hypothesis."""
    rows, dimensions, counts, unchanged = [], [], [], torch.zeros(len(base), dtype=torch.long)
    for candidate in question.hypotheses:
        model = candidate.causal_model
        if model is None:
            raise ValueError("expected hypotheses with causal models; ask `applicable` first")
        for name in model.inner:
            pairs = label_pairs(model, name, base, source)
            rows.append(pairs.counterfactual)
            unchanged = pairs.base_output
        dimensions += [int(classes.max()) for classes in claimed_classes(candidate, base)]
        counts.append(len(model.inner))
    sizes = torch.tensor(dimensions).clamp(1, MOST_DIMENSIONS)
    different, number = torch.cat([sizes[:, None], torch.stack(rows)], 1).unique(dim=0, return_inverse=True)
    return Problems(different[:, 1:], unchanged, different[:, 0], number.split(counts))


def residual_sites(network: Network) -> list[str]:
    """`resid.L@P` after each block but the last (unless it is the only one), where the output can still be reached."""
    last = network.graph.n_positions - 1
    needed = needed_positions(network, (last,), network.graph.n_positions)
    layers = range(1, max(2, network.graph.n_blocks))
    return [f"resid.{layer}@{p}" for layer in layers for p in needed[network.graph.first_stage_of_block(layer)]]


def trained(
    question: AlgorithmQuestion,
    problems: Problems,
    chosen: Int[Tensor, " chosen"],
    runs: tuple[Activations, Activations],
    site: str,
    tested: int,
    dimension: int,
) -> Float[Tensor, "chosen d_model k"]:
    """For each chosen problem the better of its starts.

    Batches come from a pool drawn so that pairs of whatever kind is rare for some problem are in it; in the loss each
    problem's two kinds of pairs have the same weight.
    """
    generator = question.generator
    weights = _balancing(problems.should_change[chosen, tested:])
    share = weights.mean(0)
    rows = torch.multinomial(share, POOL, replacement=True, generator=generator)
    wanted, pooled = problems.counterfactual[chosen, tested:][:, rows], weights[:, rows] / share[rows]

    def loss(logits: Float[Tensor, "seed batch position output"], index: Int[Tensor, " batch"]) -> Tensor:
        targets = wanted[:, index].repeat(STARTS, 1)
        losses = cross_entropy(logits.flatten(0, 1), targets.flatten()).view(targets.shape)
        return (losses * pooled[:, index].repeat(STARTS, 1)).mean(1)

    shape = (STARTS * len(chosen), question.network.config.d_model, dimension)
    base, source = (run.select(rows + tested) for run in runs)
    result = train_das(
        question.network,
        base,
        source,
        site,
        wanted[0],
        start=torch.randn(shape, generator=generator),
        steps=STEPS,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        generator=generator,
        loss=loss,
    )
    best = result.losses[-SETTLED:].mean(0).view(STARTS, len(chosen)).argmin(0)
    bases: Tensor = result.bases.unflatten(0, (STARTS, len(chosen)))
    return bases[best, torch.arange(len(chosen))]


def _balancing(should_change: Bool[Tensor, "problem pair"]) -> Float[Tensor, "problem pair"]:
    """Weights of mean 1 with which both kinds of pairs count as much, or the only one counts."""
    share = should_change.double().mean(1, keepdim=True)
    weights = torch.where(should_change, 0.5 / share, 0.5 / (1 - share))
    single = (share == 0) | (share == 1)
    return torch.where(single, 1.0, weights).float()
