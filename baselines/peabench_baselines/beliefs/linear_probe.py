"""Linear probe: least squares at every site, without a penalty."""

from peabench.affine import ridge
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.labelled_streams import best_read, label_streams

ROUNDING = 1e-9
"""Penalty that only keeps the equations from being singular."""


class LinearProbe(Scorer[BeliefQuestion, BeliefAnswer]):
    """The least-squares read-out of the site that is read best on a quarter of the inputs."""

    name = "linear-probe"
    track = "beliefs"
    reference = "https://arxiv.org/abs/1610.01644"  # Alain and Bengio 2016
    supervision = "exact states"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Fitted at every site."""
        streams = label_streams(question)
        found = {site: ridge(rows, streams.fit_states, ROUNDING) for site, rows in streams.fit.items()}
        return best_read(streams, found)
