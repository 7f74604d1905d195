"""Principal components, then regression: the belief is looked for among what varies most."""

from peabench.affine import AffineMap, ridge
from peabench.scorers import Scorer
from peabench.tracks.beliefs import BeliefAnswer, BeliefQuestion
from peabench_baselines.beliefs.labelled_streams import best_read, label_streams
from peabench_baselines.variables.labelled_activations import leading_directions

ROUNDING = 1e-9
"""Penalty that only keeps the equations from being singular."""


class ComponentRegression(Scorer[BeliefQuestion, BeliefAnswer]):
    """Least squares on as many principal components of each site as a state has numbers."""

    name = "component-regression"
    track = "beliefs"
    reference = "https://doi.org/10.2307/2348005"  # Jolliffe 1982, principal components in regression
    supervision = "exact states"

    def score(self, question: BeliefQuestion) -> BeliefAnswer:
        """Fitted at every site."""
        streams = label_streams(question)
        found = {}
        for site, rows in streams.fit.items():
            axes = leading_directions(rows - rows.mean(0), streams.fit_states.shape[1]).double()
            inner = ridge(rows @ axes, streams.fit_states, ROUNDING)
            found[site] = AffineMap(axes @ inner.matrix, inner.offset)
        return best_read(streams, found)
