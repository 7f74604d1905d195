"""Track `circuits`: which edges does the computation need?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.errors import InvalidAnswer, PeabenchError
from peabench.interventions import patch_hypotheses, replacement_nodes, run_with_cache
from peabench.networks import Network
from peabench.tasks import Task
from peabench.tracks.pairs import generator_from, predicted_class
from peabench.tracks.ranking import Target, area_under_roc, best_match, chance, targets
from peabench.tracks.structural_null import edge_features, fit
from peabench.tracks.track import Reference, Track, above

SUFFICIENCY_PAIRS = 256
SIZES = tuple(1.12**step for step in range(-20, 80))
"""Sizes of top-k circuits that are tried, relative to the true size."""


@dataclass(frozen=True)
class CircuitQuestion:
    """Score every edge of `network` by how much its computation needs it. The pairs are all the data there is."""

    network: Network
    base: Int[Tensor, "pair column"]
    source: Int[Tensor, "pair column"]
    """Counterfactual inputs, row for row: what patched edges may carry."""
    edges: tuple[str, ...]
    """Candidate edges `READER <- NODE`: all of `network.graph.edges`. None is trivial in these networks: each joins a
    node to a reader that may or may not use it."""
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
    """Logistic regression on where an edge lies in the architecture, learnt over the other tasks."""

    name = "structural-null"
    track = "circuits"
    role = "null"
    reference = "Architecture and position alone; learnt over the other tasks of the run, this one left out."

    def answer(self, question: CircuitQuestion, task: Task, others: Sequence[Task]) -> CircuitAnswer:
        """The log-odds of being required. The same for all edges where no other task can be learnt from."""
        model = fit(task, others)
        if model is None:
            return CircuitAnswer(torch.zeros(len(question.edges)))
        return CircuitAnswer(torch.from_numpy(model.decision_function(edge_features(question.network.graph))).float())


class CircuitsTrack(Track[CircuitQuestion, CircuitAnswer]):
    """Average precision of required against absent edges, put on the scale on which random scores earn 0 on average.

    Optional edges are left out. Where several minimal circuits suffice, each is the positive set in turn, the others'
    edges are left out of its ranking, and the best match counts, for chance too. `above` puts a score on the scale of
    another null: `above(score, score of structural-null on the same task)` is the score above the structural null.

    Beside it: `average_precision`; `auroc`; `faithful_size`, the least number of top edges at which the network keeps
    its output on 256 fresh pairs with all other edges resampled together, relative to the true size.
    """

    name = "circuits"
    version = 1
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
        return [
            CircuitQuestion(
                network=network,
                base=record.domain.sample(record.examples, generator),
                source=record.domain.sample(record.examples, generator),
                edges=network.graph.edges,
                edge_indices=network.graph.edge_indices,
                generator=generator,
            )
        ]

    def grade(self, task: Task, index: int, question: CircuitQuestion, answer: CircuitAnswer) -> dict[str, float]:
        """See the class."""
        scores = checked(question, answer)
        candidates = _candidates(question, task)
        precision, best = best_match(scores, candidates)
        return {
            "score": above(precision, chance(candidates)),
            "average_precision": precision,
            "auroc": area_under_roc(scores, candidates[best]),
            "faithful_size": faithful_size(task, question, scores, int(candidates[best].circuit.sum())),
        }


def checked(question: CircuitQuestion, answer: CircuitAnswer) -> Float[Tensor, " edge"]:
    """The answer's scores.

    Raises:
        InvalidAnswer: it is not one finite number per candidate edge.
    """
    if not isinstance(answer, CircuitAnswer):
        raise InvalidAnswer(f"Expected a CircuitAnswer, got a {type(answer).__name__}; answer CircuitAnswer(scores).")
    scores = answer.scores
    if not isinstance(scores, Tensor):
        raise InvalidAnswer(f"Expected scores in a tensor, got a {type(scores).__name__}; use torch.as_tensor(scores).")
    if scores.layout != torch.strided:
        raise InvalidAnswer(f"Expected scores in a dense tensor, got {scores.layout}; use scores.to_dense().")
    if scores.shape != (len(question.edges),) or scores.is_complex():
        raise InvalidAnswer(
            f"Expected one real score for each of the {len(question.edges)} edges, got {scores.dtype} "
            f"{list(scores.shape)}; answer in the order of question.edges."
        )
    if not bool(torch.isfinite(scores).all()):
        raise InvalidAnswer("Expected finite scores, got NaN or infinity; answer finite numbers only.")
    return scores.double()


def faithful_size(task: Task, question: CircuitQuestion, scores: Float[Tensor, " edge"], true_size: int) -> float:
    """Least tried number of top edges that suffice, over the true size.

    Sizes are tried on a geometric grid around the true one. The edges beyond are resampled together from other inputs;
    edges suffice where the network's prediction never changes on 256 fresh pairs. Equal scores are put in random order.
    """
    total = len(scores)
    generator = generator_from(task.record.model_dump_json(), "faithful size")
    domain = task.record.domain
    base, source = domain.sample(SUFFICIENCY_PAIRS, generator), domain.sample(SUFFICIENCY_PAIRS, generator)
    shuffled = torch.randperm(total, generator=generator)
    order = shuffled[scores[shuffled].argsort(descending=True, stable=True)]
    sizes = sorted({min(total, max(1, round(true_size * ratio))) for ratio in SIZES} | {total})
    network = question.network
    with torch.no_grad():
        expected = predicted_class(run_with_cache(network, base).logits)
        masks = torch.stack([_cut(question, order[size:]) for size in sizes])
        replacement = replacement_nodes(network, "resample", source)
        predicted = predicted_class(patch_hypotheses(network, base, masks.float(), replacement))
    sufficient = (predicted == expected).all(1)
    return sizes[int(sufficient.int().argmax())] / true_size


def _cut(question: CircuitQuestion, edges: Int[Tensor, " cut"]) -> Bool[Tensor, "reader node"]:
    mask = torch.zeros_like(question.network.graph.exists)
    reader, node = question.edge_indices[edges].T
    mask[reader, node] = True
    return mask


def _candidates(question: CircuitQuestion, task: Task) -> list[Target]:
    circuit = task.mechanism.circuit
    if circuit is None:
        raise PeabenchError(f"The mechanism of {task.record.id} has no circuit; take `circuits` out of its tracks.")
    return targets(question.edges, circuit.sufficient, frozenset(item.edge for item in circuit.edges))


TRACK = CircuitsTrack()
