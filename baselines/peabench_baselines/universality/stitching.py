"""Stitching: how well one network goes on from another's activations, mapped linearly."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.pairs import predicted_class
from peabench.tracks.universality import UniversalityAnswer, UniversalityQuestion
from peabench_baselines.universality.streams import Streams, different_inputs, fitted_map, paired_stages, streams

ROWS = 512
"""Most inputs to fit a map on, and most to test it on."""


class Stitching(Scorer[UniversalityQuestion, UniversalityAnswer]):
    """The share of held-out inputs on which one network's lower part, an affine map and the other's upper part predict
    what both networks predict; the mean over both directions and over layers of equal relative depth.

    The map is fitted to the other's activations by ridge regression (direct matching, as in Csiszárik et al. 2021)
    rather than trained on the task. What the output reads is not stitched, as it is as good as told by the outputs.

    Cost: for n networks of l layers, 2 n passes and n (n - 1) l parts of one, of up to 512 inputs.
    """

    name = "stitching"
    track = "universality"
    reference = "https://arxiv.org/abs/2106.07682"  # Bansal, Nakkiran and Barak 2021
    gauge_invariant = True

    @torch.no_grad()
    def score(self, question: UniversalityQuestion) -> UniversalityAnswer:
        """Half of the different inputs to fit on, half to test on."""
        halves = different_inputs(question.inputs, ROWS, question.generator)
        fitting, testing = ([streams(network, half) for network in question.networks] for half in halves)
        found = []
        for one, other in question.pairs.tolist():
            ways = [(fitting[a], fitting[b], testing[a], testing[b]) for a, b in ((one, other), (other, one))]
            found.append(sum(stitched_agreement(*way) for way in ways) / 2)
        return UniversalityAnswer(torch.tensor(found, dtype=torch.float64))


def stitched_agreement(lower: Streams, upper: Streams, lower_test: Streams, upper_test: Streams) -> float:
    """Share of test rows, 0 to 1, on which `upper` predicts the same from what is mapped to it as from its own stream.

    The mean over layers of equal relative depth; maps are fitted on the first two runs.
    """
    own = predicted_class(upper_test.run.logits)
    shares = []
    for below, above in paired_stages(lower.stages, upper.stages):
        stitch = fitted_map(lower.features(below), upper.features(above))
        predicted = upper_test.outcomes(above, stitch(lower_test.features(below))[None])[0]
        shares.append((predicted == own).double().mean())
    return float(torch.stack(shares).mean())
