"""NMF: non-negative codes of non-negative parts."""

import torch
from jaxtyping import Float
from sklearn.decomposition import MiniBatchNMF
from torch import Tensor

from peabench_baselines.features.bounded_fits import (
    numpy_seed,
    shortest,
    split,
    widths,
    without_convergence_warnings,
)
from peabench_baselines.features.fitted_directions import Fit, FittedDirections

ROWS = 4096
PASSES = 20
SPARSITY = 0.01
"""Weight of the L1 norm of the codes."""


class NMF(FittedDirections):
    """Scikit-learn's MiniBatchNMF of the activations' positive and negative parts side by side.

    NMF wants non-negative data: each coordinate, less the mean, becomes two, and a part's direction is its positive
    half minus its negative one. Learnt from 4,096 rows in 20 passes; the number of parts (a quarter, a half or all of
    the budget) is the one with the shortest description of held-out rows.
    """

    name = "nmf"
    reference = "https://doi.org/10.1038/44565"  # Lee and Seung 1999

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Parts and their codes."""
        known, held_out = split(rows, ROWS, generator)
        centre = rows.mean(0)
        seed = numpy_seed(generator)
        return shortest(
            [self.parts(known, centre, width, seed) for width in widths(latents)], centre, held_out, len(known)
        )

    def parts(
        self, rows: Float[Tensor, "row d_model"], centre: Float[Tensor, " d_model"], width: int, seed: int
    ) -> Fit:
        """A fit of one width."""
        learner = MiniBatchNMF(
            width, init="nndsvdar" if width <= rows.shape[1] else "random", max_iter=PASSES, alpha_W=SPARSITY,
            batch_size=512, random_state=seed,
        )  # fmt: skip

        def halves(points: Tensor) -> Tensor:
            return torch.cat([(points - centre).relu(), (centre - points).relu()], 1).double()

        def encode(points: Float[Tensor, "row d_model"]) -> Float[Tensor, "row latent"]:
            with without_convergence_warnings():
                return torch.from_numpy(learner.transform(halves(points).numpy())).float()

        with without_convergence_warnings():
            learner.fit(halves(rows).numpy())
        positive, negative = torch.from_numpy(learner.components_).float().chunk(2, 1)
        return Fit(positive - negative, encode)
