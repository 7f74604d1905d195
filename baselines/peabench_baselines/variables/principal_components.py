"""Principal components: the directions in which a site varies most, whatever the variable."""

from jaxtyping import Float
from torch import Tensor

from peabench_baselines.variables.class_directions import ClassDirections
from peabench_baselines.variables.labelled_activations import LabelledActivations, leading_directions


class PrincipalComponents(ClassDirections):
    """The leading principal components of each site's activations."""

    name = "principal-components"
    reference = "https://doi.org/10.1080/14786440109462720"  # Pearson 1901
    supervision = "counterfactual outputs of the validation pairs"

    def applicable(self, question: object) -> str | None:
        """Always: the variable's values are not looked at."""
        return None

    def basis(self, activations: LabelledActivations, site: str, dimension: int) -> Float[Tensor, "d_model k"]:
        """Leading directions of the centred activations."""
        rows = activations.sites[site]
        return leading_directions(rows - rows.mean(0), dimension)
