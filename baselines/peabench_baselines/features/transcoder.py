"""Transcoder: sparse latents that read what a layer reads and write what it writes."""

from peabench.scorers import Scorer
from peabench.tracks.features import FeatureAnswer, FeatureQuestion
from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.dictionary_search import agreement, search
from peabench_baselines.features.live_latents import live_latents
from peabench_baselines.features.sparse_autoencoder import size_of
from peabench_baselines.features.writing_layer import reason_against_layer, writing_layer


class Transcoder(Scorer[FeatureQuestion, FeatureAnswer]):
    """ReLU latents with an L1 price, from the stream before the layer that writes at the site to what the layer adds.

    Its directions are those in which the layer writes: features that come to the site from further below are not among
    them.

    Cost: one forward pass over the training and the evaluation inputs; training as of every sparse autoencoder here.
    """

    name = "transcoder"
    track = "features"
    reference = "https://arxiv.org/abs/2406.11944"  # Dunefsky, Chlenski and Nanda 2024
    variant = Variant("relu", (0.05, 0.5))

    def applicable(self, question: FeatureQuestion) -> str | None:
        """Declines sites at which no layer of hidden neurons writes."""
        return reason_against_layer(question)

    def score(self, question: FeatureQuestion) -> FeatureAnswer:
        """The best candidate's decoder rows, firing as its encoder says."""
        layer = writing_layer(question, question.training)
        read, written = size_of(layer.reads), size_of(layer.writes)
        found = search(
            self.variant, question.latents, layer.reads / read, layer.writes / written, agreement, question.generator
        )
        points = writing_layer(question, question.evaluation).reads
        codes = found.dictionary.encode(points / read)[0] * written
        return live_latents(question, found.dictionary.parameters["decoder"][0], codes)
