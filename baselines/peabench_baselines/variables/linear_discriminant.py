"""Linear discriminant analysis: directions that separate the variable's values best against the spread within them."""

import torch
from jaxtyping import Float
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from peabench_baselines.variables.class_directions import ClassDirections
from peabench_baselines.variables.labelled_activations import LabelledActivations, leading_directions

SHRINKAGE = 0.1
"""Towards a multiple of the identity; 0 leaves the covariance as it is."""
NO_SPREAD = 1e-5
"""Share of the greatest mean that is rounding."""


class LinearDiscriminant(ClassDirections):
    """The leading discriminant components, orthonormalised."""

    name = "linear-discriminant"
    reference = "https://doi.org/10.1111/j.1469-1809.1936.tb02137.x"  # Fisher 1936

    def basis(self, activations: LabelledActivations, site: str, dimension: int) -> Float[Tensor, "d_model k"]:
        """Scikit-learn's components; shrunk, as inverting the covariance of low-rank activations blows up noise. Where
        no class has any spread, as where the value alone decides the activations, those of the class means.
        """
        means = activations.class_means(site)
        spread = activations.sites[site] - means[activations.classes]
        if float(spread.abs().max()) <= NO_SPREAD * float(means.abs().max()):
            return leading_directions(means - means.mean(0), min(dimension, len(means) - 1))
        analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage=SHRINKAGE)
        analysis.fit(activations.sites[site].double().cpu().numpy(), activations.classes.cpu().numpy())
        components = torch.from_numpy(analysis.scalings_[:, : min(dimension, activations.n_classes - 1)])
        basis: Tensor = torch.linalg.qr(components).Q.float()
        return basis.to(activations.classes.device)
