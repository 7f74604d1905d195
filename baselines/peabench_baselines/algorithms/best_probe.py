"""Best probe: how well a hypothesis's variables can be read off the activations."""

import torch
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench_baselines.algorithms.claimed_variables import claimed_classes, reason_against_variables
from peabench_baselines.universality.layer_activations import layer_activations
from peabench_baselines.universality.streams import different_inputs

ROWS = 512
"""Most inputs to fit probes on, and most to test them on."""
MOST_ITERATIONS = 300


class BestProbe(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """A hypothesis has the accuracy of its worst variable, which has that of its best layer: balanced accuracy above
    chance of a logistic probe of the residual stream, on inputs not fitted on.

    A probe finds what can be computed from the stream linearly, whether or not the network does so.

    Cost: one pass of 1,024 inputs.
    """

    name = "best-probe"
    track = "algorithms"
    reference = "https://arxiv.org/abs/1610.01644"  # Alain and Bengio 2016, linear classifier probes
    supervision = "values of the hypotheses' variables"
    gauge_invariant = True

    def applicable(self, question: AlgorithmQuestion) -> str | None:
        """Declines hypotheses without variables."""
        return reason_against_variables(question)

    @torch.no_grad()
    def score(self, question: AlgorithmQuestion) -> AlgorithmAnswer:
        """One probe per layer and variable; a variable of several hypotheses is probed for once."""
        halves = different_inputs(question.base, ROWS, question.generator)
        inputs, fitted = torch.cat(halves), len(halves[0])
        classes = [claimed_classes(candidate, inputs) for candidate in question.hypotheses]
        every = torch.stack([variable for variables in classes for variable in variables])
        different, number = every.unique(dim=0, return_inverse=True)
        layers = layer_activations(question.network, inputs)
        accuracies = torch.stack([probe_accuracies(layer, different, fitted) for layer in layers]).amax(0)
        variables = number.split([len(claimed) for claimed in classes])
        return AlgorithmAnswer(torch.stack([accuracies[some].min() for some in variables]))


def probe_accuracies(
    features: Float[Tensor, "row feature"], classes: Int[Tensor, "variable row"], fitted: int
) -> Float[Tensor, " variable"]:
    """Balanced accuracy above chance, at most 1, of one logistic probe per variable: fitted on the first rows, tested
    on the others. A variable that does not vary in either has 0.
    """
    centred = features - features[:fitted].mean(0)
    scaled = (centred / centred.square().mean().sqrt().clamp(min=1e-30)).numpy()
    found = []
    for values in classes.numpy():
        known, asked = values[:fitted], values[fitted:]
        if len(set(known)) < 2 or len(set(asked)) < 2:
            found.append(0.0)
            continue
        probe = LogisticRegression(class_weight="balanced", max_iter=MOST_ITERATIONS)
        predicted = probe.fit(scaled[:fitted], known).predict(scaled[fitted:])
        recall = recall_score(asked, predicted, labels=sorted(set(asked)), average="macro")
        chance = 1 / len(set(asked))
        found.append((recall - chance) / (1 - chance))
    return torch.tensor(found, dtype=torch.float64)
