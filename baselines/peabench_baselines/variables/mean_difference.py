"""Mean difference: the direction between the means of the variable's values."""

from jaxtyping import Float
from torch import Tensor

from peabench_baselines.variables.class_directions import ClassDirections
from peabench_baselines.variables.labelled_activations import LabelledActivations, leading_directions


class MeanDifference(ClassDirections):
    """Principal directions of the class means; with two values, the normalised difference of their means."""

    name = "mean-difference"
    reference = "https://arxiv.org/abs/2310.06824"  # Marks and Tegmark 2023, "The Geometry of Truth"

    def basis(self, activations: LabelledActivations, site: str, dimension: int) -> Float[Tensor, "d_model k"]:
        """Leading directions of the centred class means."""
        means = activations.class_means(site)
        return leading_directions(means - means.mean(0), min(dimension, len(means) - 1))
