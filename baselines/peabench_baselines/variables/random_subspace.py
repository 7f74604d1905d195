"""Random subspace: what chance earns."""

import torch

from peabench.scorers import Scorer
from peabench.tracks.variables import VariableAnswer, VariableQuestion


class RandomSubspace(Scorer[VariableQuestion, VariableAnswer]):
    """A uniformly random subspace of full dimension at a uniformly random site."""

    name = "random-subspace"
    track = "variables"
    reference = "None: uniformly random answers."
    role = "null"

    def score(self, question: VariableQuestion) -> VariableAnswer:
        """Drawn from the question's generator."""
        generator = question.generator
        site = int(torch.randint(len(question.sites), (), generator=generator, device=generator.device))
        shape = (question.network.config.d_model, question.dimension)
        noise = torch.randn(shape, generator=generator, device=generator.device)
        return VariableAnswer(question.sites[site], torch.linalg.qr(noise).Q)
