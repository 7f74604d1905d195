"""Ridge probe: the linear probe of Shai et al. (2024) with a penalty that is chosen."""

from peabench.affine import AffineMap, ridge
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.labelled_streams import LabelledStreams, best_read, label_streams

PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class RidgeProbe(Scorer[BeliefQuestion, BeliefAnswer]):
    """The ridge regression of the site and the penalty that read best on a quarter of the inputs."""

    name = "ridge-probe"
    track = "beliefs"
    reference = "https://arxiv.org/abs/2405.15943"  # Shai et al. 2024, belief state geometry
    supervision = "exact states"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Fitted at every site with every penalty."""
        streams = label_streams(question)
        return best_read(streams, ridge_readouts(streams))


def ridge_readouts(streams: LabelledStreams) -> dict[str, AffineMap]:
    """At every site the read-out of the penalty that is best there."""
    found: dict[str, AffineMap] = {}
    best: dict[str, float] = {}
    for penalty in PENALTIES:
        fits = {site: ridge(rows, streams.fit_states, penalty) for site, rows in streams.fit.items()}
        for site, quality in streams.quality(fits).items():
            if quality > best.get(site, float("-inf")):
                best[site], found[site] = quality, fits[site]
    return found
