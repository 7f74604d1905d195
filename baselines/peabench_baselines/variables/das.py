"""Distributed alignment search: a subspace trained so that its interchange gives the counterfactual output."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.interventions import Activations, run_with_cache, train_das
from peabench.scorers import Scorer
from peabench.tracks.pairs import Pairs
from peabench.tracks.variables import VariableAnswer, VariableQuestion
from peabench_baselines.variables.balanced_rows import balanced_rows
from peabench_baselines.variables.site_choice import choose_site, site_quality

POOL = 4096
STARTS = 2
FIRST_STEPS = 100
FINALISTS = 2
LAST_STEPS = 150
BATCH = 128
LEARNING_RATE = 5e-2
SETTLED = 20
"""Last steps over whose mean loss starts are compared."""

Starts = dict[str, Float[Tensor, "start d_model k"]]


class DAS(Scorer[VariableQuestion, VariableAnswer]):
    """An orthonormal basis per site, trained by Adam through a QR decomposition on the training pairs alone.

    Batches come from a pool of training pairs half of which should change the output, as in the track's metric. Two
    random starts at every site get 100 steps; then the better start of each of the two sites that do best on the
    validation pairs gets 150 more.
    """

    name = "das"
    track = "variables"
    reference = "https://arxiv.org/abs/2303.02536"  # Geiger et al. 2023
    needs_gradients = True
    supervision = "counterfactual outputs"

    def score(self, question: VariableQuestion) -> VariableAnswer:
        """Trained at every site; the site is chosen on the validation pairs."""
        generator, shape = question.generator, (STARTS, question.network.config.d_model, question.dimension)
        pool = question.training.select(balanced_rows(question.training, POOL, generator))
        with torch.no_grad():
            runs = run_with_cache(question.network, pool.base), run_with_cache(question.network, pool.source)
        starts = {site: torch.randn(shape, generator=generator, device=generator.device) for site in question.sites}
        bases = self.trained(question, pool, runs, starts, question.sites, FIRST_STEPS)
        quality = site_quality(question, bases)
        finalists = sorted(bases, key=lambda site: quality[site], reverse=True)[:FINALISTS]
        again = {site: bases[site][None] for site in finalists}
        return choose_site(question, bases | self.trained(question, pool, runs, again, finalists, LAST_STEPS))

    def trained(
        self,
        question: VariableQuestion,
        pool: Pairs,
        runs: tuple[Activations, Activations],
        starts: Starts,
        sites: Iterable[str],
        steps: int,
    ) -> dict[str, Float[Tensor, "d_model k"]]:
        """For some sites the basis of the start that does best on the training pairs."""
        found = {}
        for site in sites:
            result = train_das(
                question.network,
                *runs,
                site,
                pool.counterfactual,
                start=starts[site],
                steps=steps,
                batch_size=BATCH,
                learning_rate=LEARNING_RATE,
                generator=question.generator,
            )
            found[site] = result.bases[int(result.losses[-SETTLED:].mean(0).argmin())]
        return found
