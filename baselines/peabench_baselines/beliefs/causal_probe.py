"""Causal-tested probe: ridge probes, of which those count whose swap moves the output to where it should be."""

import torch

from peabench.belief_states import expected_outputs, moved, probabilities, swapped_outputs
from peabench.interventions import run_with_cache
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.labelled_streams import LabelledStreams, Readouts, answer_of, label_streams
from peabench_baselines.beliefs.ridge_probe import ridge_readouts

PAIRS = 256
ENOUGH = 0.8
"""Of what the best site's swap moves, that a site's must."""


class CausalProbe(Scorer[BeliefQuestion, BeliefAnswer]):
    """The best ridge probe among the sites whose swap between 256 pairs of inputs moves the output nearly the furthest.

    Where the output should go follows from the other input's state, which the question defines.
    """

    name = "causal-probe"
    track = "beliefs"
    reference = "https://arxiv.org/abs/2006.00995"  # Elazar et al. 2021, amnesic probing: is what is read also used?
    supervision = "exact states; outputs that follow from them"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Fitted and swapped at every site."""
        streams = label_streams(question)
        found = ridge_readouts(streams)
        best = best_used(question, streams, found)
        return answer_of(best, found[best])


def best_used(question: BeliefQuestion, streams: LabelledStreams, readouts: Readouts) -> str:
    """The site that is read best among those whose swap moves the output nearly the furthest."""
    shares, quality = swap_shares(question, readouts), streams.quality(readouts)
    used = [site for site, share in shares.items() if share >= ENOUGH * max(shares.values())]
    return max(used or shares, key=lambda site: quality[site])


def swap_shares(question: BeliefQuestion, readouts: Readouts) -> dict[str, float]:
    """How far a swap along each site's read-out moves the outputs of random pairs of the question's inputs."""
    generator, count = question.generator, len(question.inputs)
    pairs = torch.randint(count, (2, PAIRS), generator=generator, device=generator.device)
    with torch.no_grad():
        run = run_with_cache(question.network, question.inputs)
        base, source = (run.select(rows) for rows in pairs)
        expected = expected_outputs(question.tracked, base.inputs, source.inputs)
        before = probabilities(base.logits)
        return {
            site: moved(swapped_outputs(base, source, site, found.matrix), before, expected)
            for site, found in readouts.items()
        }
