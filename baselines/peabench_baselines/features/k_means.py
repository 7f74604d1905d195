"""k-means: one cluster fires for each input."""

import torch
from jaxtyping import Float
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from peabench_baselines.features.bounded_fits import numpy_seed, shortest, split, widths
from peabench_baselines.features.fitted_directions import Fit, FittedDirections

PASSES = 20


class KMeans(FittedDirections):
    """Scikit-learn's MiniBatchKMeans: cluster centres, less the mean, as directions; the nearest one fires.

    At most 20 passes; the number of clusters (a quarter, a half or all of the budget) is the one with the shortest
    description of held-out rows.
    """

    name = "k-means"
    reference = "https://doi.org/10.1109/TIT.1982.1056489"  # Lloyd 1982

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """Centres and which of them is nearest."""
        known, held_out = split(rows, len(rows), generator)
        centre, seed = known.mean(0), numpy_seed(generator)
        fits = [self.clusters(known, centre, min(width, len(known)), seed) for width in widths(latents)]
        return shortest(fits, centre, held_out, len(known))

    def clusters(
        self, rows: Float[Tensor, "row d_model"], centre: Float[Tensor, " d_model"], width: int, seed: int
    ) -> Fit:
        """A fit of one width."""
        learner = MiniBatchKMeans(width, max_iter=PASSES, batch_size=1024, n_init=1, random_state=seed)
        learner.fit(rows.numpy())
        centres = torch.from_numpy(learner.cluster_centers_).float()

        def encode(points: Float[Tensor, "row d_model"]) -> Float[Tensor, "row latent"]:
            nearest = torch.cdist(points, centres).argmin(1)
            return torch.nn.functional.one_hot(nearest, width).float()

        return Fit(centres - centre, encode)
