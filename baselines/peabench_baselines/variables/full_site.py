"""Full site: a vanilla interchange of everything at one site."""

from peabench.scorers import Scorer
from peabench.tracks.variables import VariableAnswer, VariableQuestion
from peabench_baselines.variables.site_choice import choose_site


class FullSite(Scorer[VariableQuestion, VariableAnswer]):
    """The whole residual stream at the site that does best on the validation pairs."""

    name = "full-site"
    track = "variables"
    reference = "https://arxiv.org/abs/2106.02997"  # Geiger et al. 2021, interchange interventions
    supervision = "counterfactual outputs of the validation pairs"

    def score(self, question: VariableQuestion) -> VariableAnswer:
        """A site without a basis."""
        return choose_site(question, dict.fromkeys(question.sites))
