"""Distributed alignment search: a subspace trained so that its interchange gives the counterfactual output."""

import torch

from peabench.interventions import run_with_cache, train_das
from peabench.scorers import Scorer
from peabench.tracks.variables import VariableAnswer, VariableQuestion
from peabench_baselines.variables.balanced_rows import balanced_rows
from peabench_baselines.variables.site_choice import choose_site

POOL = 4096
STEPS = 300
BATCH = 256
LEARNING_RATE = 2e-2


class DAS(Scorer[VariableQuestion, VariableAnswer]):
    """One orthonormal basis per site, trained by Adam through a QR decomposition on the training pairs alone.

    Batches come from a pool of training pairs half of which should change the output, as in the track's metric.
    """

    name = "das"
    track = "variables"
    reference = "https://arxiv.org/abs/2303.02536"  # Geiger et al. 2023
    needs_gradients = True
    supervision = "counterfactual outputs"

    def score(self, question: VariableQuestion) -> VariableAnswer:
        """Trained at every site; the site is chosen on the validation pairs."""
        network, generator = question.network, question.generator
        pool = question.training.select(balanced_rows(question.training, POOL, generator))
        with torch.no_grad():
            base, source = run_with_cache(network, pool.base), run_with_cache(network, pool.source)
        bases = {}
        for site in question.sites:
            shape = (1, network.config.d_model, question.dimension)
            found = train_das(
                network,
                base,
                source,
                site,
                pool.counterfactual,
                start=torch.randn(shape, generator=generator, device=generator.device),
                steps=STEPS,
                batch_size=BATCH,
                learning_rate=LEARNING_RATE,
                generator=generator,
            )
            bases[site] = found.bases[0]
        return choose_site(question, bases)
