"""Probe with a control task: the site at which the state is read much better than arbitrary labels of the tokens."""

from dataclasses import replace

import torch

from peabench.affine import ridge
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.labelled_streams import answer_of, label_streams
from peabench_baselines.beliefs.ridge_probe import ridge_readouts

PENALTY = 1e-3


class SelectiveProbe(Scorer[BeliefQuestion, BeliefAnswer]):
    """A ridge probe at the site of the greatest selectivity: its R² less that of a probe of the control task.

    The control task gives each token at each position the state of a random point, as Hewitt and Liang give every word
    a random label: what a probe can learn of it is no knowledge of the network's.
    """

    name = "selective-probe"
    track = "beliefs"
    reference = "https://arxiv.org/abs/1909.03368"  # Hewitt and Liang 2019
    supervision = "exact states"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Fitted to both tasks at every site."""
        control = label_streams(_with_control_task(question))
        learnt = control.quality({site: ridge(rows, control.fit_states, PENALTY) for site, rows in control.fit.items()})
        streams = label_streams(question)
        found = ridge_readouts(streams)
        gained = {site: quality - max(0.0, learnt[site]) for site, quality in streams.quality(found).items()}
        best = max(gained, key=lambda site: gained[site])
        return answer_of(best, found[best])


def _with_control_task(question: BeliefQuestion) -> BeliefQuestion:
    """The question with states that depend on the token and its position alone."""
    states, generator = question.states, question.generator
    positions = torch.arange(states.shape[1], device=states.device)
    tokens = question.tracked.seen(question.inputs)[:, -states.shape[1] :]
    kinds = (positions * max(question.domain.sizes) + tokens).unique(return_inverse=True)[1]
    every = states.flatten(0, 1)
    drawn = torch.randint(len(every), (int(kinds.max()) + 1,), generator=generator, device=generator.device)
    return replace(question, states=every[drawn][kinds])
