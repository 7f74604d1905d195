"""PCA: orthogonal directions in order of variance."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench_baselines.features.fitted_directions import Fit, FittedDirections, projection

NO_VARIANCE = 1e-9
"""Of the largest component's, that is rounding."""


class PCA(FittedDirections):
    """All principal components with any variance, each firing, with a sign, as the activations lie along it."""

    name = "pca"
    reference = "https://doi.org/10.1080/14786440109462720"  # Pearson 1901

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Eigenvectors of the covariance."""
        centre = rows.double().mean(0)
        centred = rows.double() - centre
        variances, vectors = torch.linalg.eigh(centred.T @ centred)
        kept = variances > NO_VARIANCE * variances[-1]
        return projection(vectors.T[kept].flip(0)[:latents].float(), centre.float())
