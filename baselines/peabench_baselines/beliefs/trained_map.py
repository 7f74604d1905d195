"""Trained map: what a probe reads, turned by gradient until its swap does what the state would; then read anew."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.affine import AffineMap, ridge
from peabench.belief_states import can_occur, expected_outputs, probabilities, swap_basis
from peabench.interventions import run_with_cache, train_das
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.causal_probe import best_used
from peabench_baselines.beliefs.labelled_streams import Readouts, answer_of, label_streams
from peabench_baselines.beliefs.ridge_probe import ridge_readouts

PAIRS = 512
STEPS = 60
BATCH = 64
LEARNING_RATE = 1e-2
PENALTY = 1e-6


class TrainedMap(Scorer[BeliefQuestion, BeliefAnswer]):
    """Distributed alignment search for the whole state at every site, from the subspace that a ridge probe reads.

    Trained from nothing it would find as much of a belief as decides on the next token, and no more. Of the sites
    whose swap moves the output nearly the furthest the one is answered that is read best within its subspace.
    """

    name = "trained-map"
    track = "beliefs"
    reference = "https://arxiv.org/abs/2303.02536"  # Geiger et al. 2023
    needs_gradients = True
    supervision = "exact states; outputs that follow from them"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Trained at every site."""
        streams = label_streams(question)
        found = {}
        for site, basis in self.trained(question, ridge_readouts(streams)).items():
            inner = ridge(streams.fit[site] @ basis.double(), streams.fit_states, PENALTY)
            found[site] = AffineMap(basis.double() @ inner.matrix, inner.offset)
        best = best_used(question, streams, found)
        return answer_of(best, found[best])

    def trained(self, question: BeliefQuestion, probes: Readouts) -> dict[str, Float[Tensor, "d_model k"]]:
        """A subspace for every site, as wide as what the probe reads there."""
        generator = question.generator
        pairs = torch.randint(len(question.inputs), (2, PAIRS), generator=generator, device=generator.device)
        base, source = question.inputs[pairs[0]], question.inputs[pairs[1]]
        expected = expected_outputs(question.tracked, base, source).float()
        with torch.no_grad():
            runs = run_with_cache(question.network, base), run_with_cache(question.network, source)

        def distance(logits: Float[Tensor, "seed batch position output"], rows: Int[Tensor, " batch"]) -> Tensor:
            got = probabilities(logits)[:, :, -expected.shape[1] :]
            return ((got - expected[rows]).square().sum(-1) * can_occur(expected)[rows]).mean((1, 2)).float()

        return {
            site: train_das(
                question.network,
                *runs,
                site,
                torch.zeros(PAIRS, dtype=torch.long, device=base.device),
                start=swap_basis(probe.matrix)[None],
                steps=STEPS,
                batch_size=BATCH,
                learning_rate=LEARNING_RATE,
                generator=generator,
                loss=distance,
            ).bases[0]
            for site, probe in probes.items()
        }
