"""Dictionary learning: sparse codes found by the lasso, with a dictionary updated in mini-batches."""

import torch
from jaxtyping import Float
from sklearn.decomposition import MiniBatchDictionaryLearning
from torch import Tensor

from peabench_baselines.features.bounded_fits import (
    numpy_seed,
    shortest,
    split,
    widths,
    without_convergence_warnings,
)
from peabench_baselines.features.fitted_directions import Fit, FittedDirections
from peabench_baselines.features.sparse_autoencoder import size_of

ROWS = 4096
PASSES = 3
PRICES = (0.05, 0.15)
"""Of the codes' L1 norm, where the rows' mean squared norm is 1."""
CODING_STEPS = 50


class DictionaryLearning(FittedDirections):
    """Scikit-learn's MiniBatchDictionaryLearning with non-negative codes by coordinate descent.

    Three passes over 4,096 rows; the price and the number of directions (a quarter, a half or all of the budget) are
    those with the shortest description of held-out rows.
    """

    name = "dictionary-learning"
    reference = "https://arxiv.org/abs/0908.0050"  # Mairal, Bach, Ponce and Sapiro 2010

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Directions and lasso codes."""
        known, held_out = split(rows, ROWS, generator)
        centre, seed = known.mean(0), numpy_seed(generator)
        fits = [self.dictionary(known, centre, width, price, seed) for width in widths(latents) for price in PRICES]
        return shortest(fits, centre, held_out, len(known))

    def dictionary(
        self, rows: Float[Tensor, "row d_model"], centre: Float[Tensor, " d_model"], width: int, price: float, seed: int
    ) -> Fit:
        """A fit of one width and price."""
        scale = size_of(rows)
        learner = MiniBatchDictionaryLearning(
            width, alpha=price, max_iter=PASSES, batch_size=256, fit_algorithm="cd", transform_algorithm="lasso_cd",
            transform_alpha=price, transform_max_iter=CODING_STEPS, positive_code=True, random_state=seed,
        )  # fmt: skip

        def encode(points: Float[Tensor, "row d_model"]) -> Float[Tensor, "row latent"]:
            with without_convergence_warnings():
                codes = learner.transform(((points - centre) / scale).double().numpy())
            return torch.from_numpy(codes).float() * scale

        with without_convergence_warnings():
            learner.fit(((rows - centre) / scale).double().numpy())
        return Fit(torch.from_numpy(learner.components_).float(), encode)
