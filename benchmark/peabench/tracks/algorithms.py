"""Track `algorithms`: which of several hypotheses of the same behaviour does this network implement?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import Level
from peabench.networks import Network
from peabench.tasks import Task
from peabench.tracks.candidates import Candidate, candidates_of
from peabench.tracks.hypothesis_prior import fit, hypothesis_features
from peabench.tracks.numbers import one_number_each
from peabench.tracks.pairs import generator_from
from peabench.tracks.ranking import Target, area_under_roc, average_precision, expected_average_precision
from peabench.tracks.track import Reference, Track, above

LEVELS: tuple[Level, ...] = ("algorithm", "implementation")
"""At which rivals are told apart; on the level of behaviour they are alike."""


@dataclass(frozen=True)
class AlgorithmQuestion:
    """Score each hypothesis by how far `network` does what it says. All of them give the network's outputs."""

    network: Network
    domain: ProductDomain
    level: Level
    """Level of abstraction of all the hypotheses."""
    hypotheses: tuple[Candidate, ...]
    """In an order drawn at random, their inner variables under neutral names. One or more of them hold."""
    base: Int[Tensor, "pair column"]
    source: Int[Tensor, "pair column"]
    """Inputs as the domain draws them, row for row for interchanges."""
    draw: int
    """The number of the draw, of no use to a scorer."""
    generator: torch.Generator


@dataclass(frozen=True)
class AlgorithmAnswer:
    """A score for each hypothesis, in the question's order; higher means that it rather holds."""

    scores: Float[Tensor, " hypothesis"]


class Oracle(Reference):
    """1 for the hypotheses that hold, 0 for their rivals."""

    name = "oracle"
    track = "algorithms"
    role = "oracle"
    reference = "The task's certified mechanism."

    def answer(self, question: AlgorithmQuestion, task: Task, others: Sequence[Task]) -> AlgorithmAnswer:
        """The truth, about the twin too."""
        return AlgorithmAnswer(holding(task, question).float())


class HypothesisPrior(Reference):
    """Logistic regression on what hypotheses look like and have in common, learnt over the other tasks."""

    name = "hypothesis-prior"
    track = "algorithms"
    role = "null"
    reference = "The hypotheses alone; learnt over the run's other tasks, those of the same hypotheses left out."

    def answer(self, question: AlgorithmQuestion, task: Task, others: Sequence[Task]) -> AlgorithmAnswer:
        """The log-odds of holding. The same for all hypotheses where no other task can be learnt from."""
        model = fit(task, others, LEVELS)
        if model is None:
            return AlgorithmAnswer(torch.zeros(len(question.hypotheses)))
        return AlgorithmAnswer(torch.from_numpy(model.decision_function(hypothesis_features(question.hypotheses))))


class AlgorithmsTrack(Track[AlgorithmQuestion, AlgorithmAnswer]):
    """Average precision of the hypotheses that hold, put on the scale on which random scores earn 0 on average.

    Equal scores earn the mean over all their orders, so that the same score for all hypotheses earns 0 too.

    Beside it: `average_precision`; `auroc`; `top`, the share of those with the highest score that hold.
    """

    name = "algorithms"
    version = 1
    headline = "average precision of the hypotheses that hold, above chance"
    question_type = AlgorithmQuestion
    answer_type = AlgorithmAnswer
    bounds = (-1.0, 1.0)
    references = (Oracle(), HypothesisPrior())
    nulls = ("random-hypotheses", "logit-spectrum", "off-distribution")

    def questions(self, task: Task, generator_seed: int) -> list[AlgorithmQuestion]:
        """One for each level of abstraction at which some hypotheses hold and others do not."""
        found = []
        for level in LEVELS:
            ordered = candidates_of(task, level, generator_seed)
            if len({holds for _, holds in ordered}) < 2:
                continue
            generator = generator_from("algorithms", str(generator_seed), level)
            record = task.record
            found.append(
                AlgorithmQuestion(
                    network=task.network(),
                    domain=record.domain,
                    level=level,
                    hypotheses=tuple(candidate for candidate, _ in ordered),
                    base=record.domain.sample(record.examples, generator),
                    source=record.domain.sample(record.examples, generator),
                    draw=generator_seed,
                    generator=generator,
                )
            )
        if not found:
            raise PeabenchError(
                f"The mechanism of {task.record.id} has no rival hypotheses; take `algorithms` out of its tracks."
            )
        return found

    def grade(self, task: Task, index: int, question: AlgorithmQuestion, answer: AlgorithmAnswer) -> dict[str, float]:
        """See the class."""
        scores = one_number_each(answer, AlgorithmAnswer, "scores", len(question.hypotheses), "hypotheses")
        holds = holding(task, question)
        target = Target(holds, torch.ones_like(holds))
        precision = average_precision(scores, target)
        best = scores == scores.max()
        return {
            "score": above(precision, expected_average_precision(int(holds.sum()), len(holds))),
            "average_precision": precision,
            "auroc": area_under_roc(scores, target),
            "top": float(holds[best].double().mean()),
        }

    def twin_question(self, question: AlgorithmQuestion, task: Task) -> AlgorithmQuestion | None:
        """The same question about the random-init twin, which implements none of the hypotheses.

        Only a task's first question has one, for it costs a scorer as much as the question itself.
        """
        twin = task.twin("random_init")
        first = next(level for level in LEVELS if len({h for _, h in candidates_of(task, level, question.draw)}) == 2)
        return None if twin is None or question.level != first else replace(question, network=twin)


def holding(task: Task, question: AlgorithmQuestion) -> Bool[Tensor, " hypothesis"]:
    """Which of a question's hypotheses hold."""
    return torch.tensor([holds for _, holds in candidates_of(task, question.level, question.draw)])


TRACK = AlgorithmsTrack()
