"""ICA: directions along which independent, non-Gaussian sources add up to the activations."""

import torch
from jaxtyping import Float
from sklearn.decomposition import FastICA
from torch import Tensor

from peabench_baselines.features.bounded_fits import numpy_seed, without_convergence_warnings
from peabench_baselines.features.fitted_directions import Fit, FittedDirections

ITERATIONS = 200
TOLERANCE = 1e-3
NO_VARIANCE = 1e-9
"""Of the largest component's, that is rounding."""


class ICA(FittedDirections):
    """Scikit-learn's FastICA with as many sources as the activations have dimensions; sources have signs."""

    name = "ica"
    reference = "https://doi.org/10.1016/S0893-6080(00)00026-5"  # Hyvärinen and Oja 2000

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Columns of the mixing matrix, with the unmixed sources, within 200 iterations."""
        centred = rows.double() - rows.double().mean(0)
        variances = torch.linalg.eigvalsh(centred.T @ centred)
        rank = int((variances > NO_VARIANCE * variances[-1]).sum())
        learner = FastICA(
            min(rank, latents),
            whiten="unit-variance",
            max_iter=ITERATIONS,
            tol=TOLERANCE,
            random_state=numpy_seed(generator),
        )
        with without_convergence_warnings():
            learner.fit(rows.double().numpy())
        directions = torch.from_numpy(learner.mixing_.T.copy()).float()
        return Fit(directions, lambda points: torch.from_numpy(learner.transform(points.double().numpy())).float())
