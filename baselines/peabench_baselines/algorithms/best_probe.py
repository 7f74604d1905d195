"""Best probe: how well a hypothesis's variables can be read off the activations."""

import torch
from jaxtyping import Float, Int
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.algorithms import AlgorithmAnswer, AlgorithmQuestion
from peabench_baselines.algorithms.claimed_variables import claimed_classes, one_hot, reason_against_variables
from peabench_baselines.universality.layer_activations import layer_activations
from peabench_baselines.universality.streams import different_inputs, fitted_map

ROWS = 512
"""Most inputs to fit probes on, and most to test them on."""


class BestProbe(Scorer[AlgorithmQuestion, AlgorithmAnswer]):
    """A hypothesis has the accuracy of its worst variable, which has that of its best layer: balanced accuracy above
    chance of a linear probe (ridge regression on one-hot values) of the residual stream, on inputs not fitted on.

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
        """All variables of all hypotheses are fitted at once, layer by layer."""
        halves = different_inputs(question.base, ROWS, question.generator)
        inputs, fitted = torch.cat(halves), len(halves[0])
        classes = [claimed_classes(candidate, inputs) for candidate in question.hypotheses]
        every = [variable for variables in classes for variable in variables]
        layers = layer_activations(question.network, inputs)
        accuracies = torch.stack([probe_accuracies(layer, every, fitted) for layer in layers]).amax(0)
        worst = [some.min() for some in accuracies.split([len(variables) for variables in classes])]
        return AlgorithmAnswer(torch.stack(worst))


def probe_accuracies(
    features: Float[Tensor, "row feature"], classes: list[Int[Tensor, " row"]], fitted: int
) -> Float[Tensor, " variable"]:
    """Balanced accuracy above chance, at most 1, of one linear probe per variable: fitted on the first rows, tested on
    the others. A variable that does not vary there has 0.
    """
    targets = [one_hot(variable) for variable in classes]
    predicted = fitted_map(features[:fitted], torch.cat(targets, 1)[:fitted])(features[fitted:])
    found = []
    for scores, variable in zip(predicted.split([t.shape[1] for t in targets], 1), classes, strict=True):
        truth = variable[fitted:].numpy()
        varies = len(set(truth.tolist())) > 1
        found.append(balanced_accuracy_score(truth, scores.argmax(1).numpy(), adjusted=True) if varies else 0.0)
    return torch.tensor(found, dtype=torch.float64)
