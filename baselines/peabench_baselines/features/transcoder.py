"""Transcoder: sparse latents that read what a block reads and write what it writes."""

from peabench.scorers import Scorer
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.feature_truth import FeatureAnswer
from peabench_baselines.features.dictionary import Variant
from peabench_baselines.features.dictionary_search import agreement, search
from peabench_baselines.features.live_latents import live_latents
from peabench_baselines.features.sparse_autoencoder import size_of

RESIDUAL = "resid."


class Transcoder(Scorer[FeatureQuestion, FeatureAnswer]):
    """ReLU latents with an L1 price, from the residual stream before the block to what the block adds to the site.

    On the residual stream that is the site less the stream a block earlier; at a node's output it is the site itself.
    Features that come to the site from further below are not among what it looks for.

    Cost: no passes through the network; training as of every sparse autoencoder here.
    """

    name = "transcoder"
    track = "features"
    reference = "https://arxiv.org/abs/2406.11944"  # Dunefsky, Chlenski and Nanda 2024
    variant = Variant("relu", (0.05, 0.5))

    def applicable(self, question: FeatureQuestion) -> str | None:
        """Declines sites before which there is no block."""
        if not question.before_training.shape[1]:
            return f"No block lies before {question.site}, so there is no layer to transcode."
        return None

    def score(self, question: FeatureQuestion) -> FeatureAnswer:
        """The best candidate's decoder rows, firing as its encoder says."""
        before, after = question.before_training, question.training
        written = after - before if question.site.startswith(RESIDUAL) else after
        read_size, written_size = size_of(before), size_of(written)
        found = search(
            self.variant, question.latents, before / read_size, written / written_size, agreement, question.generator
        )
        codes = found.dictionary.encode(question.before_evaluation / read_size)[0] * written_size
        return live_latents(question, found.dictionary.parameters["decoder"][0], codes)
