"""Output rows: the hidden neurons of the layer that writes at the site, each with what it writes."""

from peabench.scorers import Scorer
from peabench.tracks.features import FeatureAnswer, FeatureQuestion
from peabench_baselines.features.live_latents import live_latents
from peabench_baselines.features.writing_layer import reason_against_layer, writing_layer


class OutputRows(Scorer[FeatureQuestion, FeatureAnswer]):
    """Output weights of the hidden neurons just before the site as directions, their activations as firing.

    Cost: one forward pass over the evaluation inputs.
    """

    name = "output-rows"
    track = "features"
    reference = "https://arxiv.org/abs/2012.14913"  # Geva et al. 2021, feed-forward layers as key-value memories

    def applicable(self, question: FeatureQuestion) -> str | None:
        """Declines sites at which no such layer writes."""
        return reason_against_layer(question)

    def score(self, question: FeatureQuestion) -> FeatureAnswer:
        """Read off; nothing is learnt."""
        layer = writing_layer(question, question.evaluation)
        return live_latents(question, layer.rows, layer.neurons)
