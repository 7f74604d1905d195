"""What the methods share that read a subspace off labelled activations, one site at a time."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from peabench.scorers import Scorer
from peabench.tracks.variables import VariableAnswer, VariableQuestion
from peabench_baselines.variables.labelled_activations import (
    LabelledActivations,
    label_activations,
    reason_against_classes,
)
from peabench_baselines.variables.site_choice import choose_site


class ClassDirections(Scorer[VariableQuestion, VariableAnswer]):
    """A subspace for every site from labelled activations; the site is chosen on the validation pairs."""

    track = "variables"
    supervision = "values of the variable; counterfactual outputs of the validation pairs"

    def applicable(self, question: VariableQuestion) -> str | None:
        """Declines variables without classes."""
        return reason_against_classes(question)

    def score(self, question: VariableQuestion) -> VariableAnswer:
        """The best site's subspace."""
        activations = label_activations(question)
        return choose_site(
            question, {site: self.basis(activations, site, question.dimension) for site in question.sites}
        )

    @abstractmethod
    def basis(self, activations: LabelledActivations, site: str, dimension: int) -> Float[Tensor, "d_model k"]:
        """Orthonormal columns for one site, at most `dimension` of them."""
