"""Track `circuits`: which edges does the computation need?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.networks import Network
from peabench.tasks import Task
from peabench.tracks.faithfulness import faithful_sizes
from peabench.tracks.numbers import one_number_each
from peabench.tracks.pairs import generator_from
from peabench.tracks.ranking import Target, area_under_roc, best_match, chance, targets
from peabench.tracks.structural_null import edge_features, fit
from peabench.tracks.track import Reference, Track, above
from peabench.tracks.trivial_edges import can_matter

SUFFICIENCY_PAIRS = 256


@dataclass(frozen=True)
class CircuitQuestion:
    """Score every edge of `network` by how much its computation needs it. The pairs are all the data there is."""

    network: Network
    base: Int[Tensor, "pair column"]
    source: Int[Tensor, "pair column"]
    """Counterfactual inputs, row for row: what patched edges may carry."""
    edges: tuple[str, ...]
    """Candidate edges `READER <- NODE`: those of `network.graph.edges` that are not trivial, in that order. An edge is
    trivial if no weights could make it matter to the output on this domain (`peabench.tracks.trivial_edges`)."""
    edge_indices: Int[Tensor, "edge 2"]
    """(reader, node) of each candidate edge in the network's graph."""
    generator: torch.Generator


@dataclass(frozen=True)
class CircuitAnswer:
    """A score for each candidate edge, in the question's order; higher means more needed."""

    scores: Float[Tensor, " edge"]


class Oracle(Reference):
    """1 for the edges of a minimal circuit, 0 for all others."""

    name = "oracle"
    track = "circuits"
    role = "oracle"
    reference = "The task's certified mechanism."

    def answer(self, question: CircuitQuestion, task: Task, others: Sequence[Task]) -> CircuitAnswer:
        """The first minimal circuit."""
        return CircuitAnswer(_candidates(question, task)[0].circuit.float())


class StructuralNull(Reference):
    """Logistic regression on depths, types, numbers and weight norms of an edge's ends, learnt over the other tasks."""

    name = "structural-null"
    track = "circuits"
    role = "null"
    reference = (
        "Architecture, position and weight norms alone; learnt over the other tasks of the run, this one left out."
    )
    version = "2"

    def answer(self, question: CircuitQuestion, task: Task, others: Sequence[Task]) -> CircuitAnswer:
        """The log-odds of being required. The same for all edges where no other task can be learnt from."""
        model = fit(task, others)
        if model is None:
            return CircuitAnswer(torch.zeros(len(question.edges)))
        features = edge_features(question.network, question.edge_indices)
        return CircuitAnswer(torch.from_numpy(model.decision_function(features)).float())


class CircuitsTrack(Track[CircuitQuestion, CircuitAnswer]):
    """Average precision of required against absent edges, put on the scale on which random scores earn 0 on average.

    Optional edges are left out. Where several minimal circuits suffice, each is the positive set in turn, the others'
    edges are left out of its ranking, and the best match counts, for chance too. `above` puts a score on the scale of
    another null: `above(score, score of structural-null on the same task)` is the score above the structural null.

    Equal scores earn the mean over all their orders, so that the same score for all edges earns 0 as well.

    Beside it: `average_precision`; `auroc`; and how many of the highest edges keep the network's output on 256 fresh
    pairs with all other candidates ablated together, relative to the true number: `faithful_size` with resampling,
    `faithful_size_mean` and `faithful_size_zero` with mean and zero ablation.
    """

    name = "circuits"
    version = 2
    headline = "average precision above chance"
    question_type = CircuitQuestion
    answer_type = CircuitAnswer
    bounds = (-1.0, 1.0)
    references = (Oracle(), StructuralNull())
    nulls = ("random-edges",)

    def questions(self, task: Task, generator_seed: int) -> list[CircuitQuestion]:
        """One question, with as many pairs as the record's examples."""
        generator = generator_from("circuits", str(generator_seed))
        network, record = task.network(), task.record
        edge_indices = can_matter(network, record.domain).nonzero()
        graph = network.graph
        return [
            CircuitQuestion(
                network=network,
                base=record.domain.sample(record.examples, generator),
                source=record.domain.sample(record.examples, generator),
                edges=tuple(
                    f"{graph.readers[reader]} <- {graph.nodes[node]}" for reader, node in edge_indices.tolist()
                ),
                edge_indices=edge_indices,
                generator=generator,
            )
        ]

    def grade(self, task: Task, index: int, question: CircuitQuestion, answer: CircuitAnswer) -> dict[str, float]:
        """See the class."""
        scores = checked(question, answer)
        candidates = _candidates(question, task)
        precision, best = best_match(scores, candidates)
        target = candidates[best]
        generator = generator_from(task.record.model_dump_json(), "faithful size")
        base, source = (task.record.domain.sample(SUFFICIENCY_PAIRS, generator) for _ in range(2))
        size = int(target.circuit.sum())
        faithful = faithful_sizes(question.network, question.edge_indices, scores, size, base, source)
        return {
            "score": above(precision, chance(candidates)),
            "average_precision": precision,
            "auroc": area_under_roc(scores, target),
            "faithful_size": faithful["resample"],
            "faithful_size_mean": faithful["mean"],
            "faithful_size_zero": faithful["zero"],
        }


def checked(question: CircuitQuestion, answer: CircuitAnswer) -> Float[Tensor, " edge"]:
    """The answer's scores.

    Raises:
        InvalidAnswer: it is not one finite number per candidate edge.
    """
    return one_number_each(answer, CircuitAnswer, "scores", len(question.edges), "edges")


def _candidates(question: CircuitQuestion, task: Task) -> list[Target]:
    circuit = task.mechanism.circuit
    if circuit is None:
        raise PeabenchError(f"The mechanism of {task.record.id} has no circuit; take `circuits` out of its tracks.")
    return targets(question.edges, circuit.sufficient, frozenset(item.edge for item in circuit.edges))


TRACK = CircuitsTrack()
