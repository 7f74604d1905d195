"""Nearest token: all that is read is the last token, at the embedding."""

from peabench.affine import ridge
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.labelled_streams import answer_of, label_streams

PENALTY = 1e-6


class NearestToken(Scorer[BeliefQuestion, BeliefAnswer]):
    """Least squares before the first block, where a position holds its own token and nothing else."""

    name = "nearest-token"
    track = "beliefs"
    reference = "None: what the last token alone tells."
    supervision = "exact states"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Fitted at the first site."""
        streams, site = label_streams(question), question.sites[0]
        return answer_of(site, ridge(streams.fit[site], streams.fit_states, PENALTY))
