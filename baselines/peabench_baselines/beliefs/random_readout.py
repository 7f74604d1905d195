"""Random read-out: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion


class RandomReadout(Scorer[BeliefQuestion, BeliefAnswer]):
    """Random directions at a random site, about the mean state."""

    name = "random-readout"
    track = "beliefs"
    reference = "None: uniformly random answers."
    role = "null"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Drawn from the question's generator."""
        generator = question.generator
        site = int(torch.randint(len(question.sites), (), generator=generator, device=generator.device))
        width, states = question.network.config.d_model, question.states.flatten(0, 1)
        noise = torch.randn(width, states.shape[1], generator=generator, device=generator.device)
        return BeliefAnswer(question.sites[site], noise / width, states.mean(0).float())
