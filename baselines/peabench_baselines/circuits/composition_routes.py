"""Composition routes: compositions of weights, followed from the output downwards, without running the network."""

from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.composition_score import compositions, reason_against_weights
from peabench_baselines.circuits.information_flow_routes import routes


class CompositionRoutes(Scorer[CircuitQuestion, CircuitAnswer]):
    """The largest threshold at which an edge is on the routes that are followed from the output downwards, where an
    edge is as important as its composition score says.

    It looks at no activation: what it earns, the weights give away.

    Cost: no pass.
    """

    name = "composition-routes"
    track = "circuits"
    reference = "https://transformer-circuits.pub/2021/framework"  # Elhage et al. 2021; routes as in arXiv:2403.00824

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines architectures whose weights it does not know."""
        return reason_against_weights(question.network)

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """A widest path to the output for each edge."""
        reader, node = question.edge_indices.T
        return CircuitAnswer(routes(question.network, compositions(question.network))[reader, node])
