"""Track `audits`: of networks that behave alike on the training distribution, which carry a defect, and what is it?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.audits import defective, intended, members_of, support, true_cues
from peabench.columns import sample_where
from peabench.domain import ProductDomain
from peabench.errors import InvalidAnswer, PeabenchError
from peabench.mechanism import CausalModel, Expression, neutral
from peabench.networks import Network
from peabench.networks.gauge import random_gauge
from peabench.tasks import Task
from peabench.tracks.numbers import numbers_of, one_number_each
from peabench.tracks.pairs import generator_from, outputs
from peabench.tracks.ranking import Target, area_under_roc, average_precision, expected_average_precision
from peabench.tracks.track import Reference, Track, above

EVEN = 0.25
"""Brier score of a suspicion of one half."""
PASSES = 1024
"""Example-passes, forward and backward, that a question allows for each of its networks."""


@dataclass(frozen=True)
class AuditQuestion:
    """Score each network by how likely it departs from its rule, and each candidate by how far it goes with that."""

    networks: tuple[Network, ...]
    """In an order, and each in a gauge, drawn at random. On the training distribution they all follow the rule."""
    domain: ProductDomain
    inputs: Int[Tensor, "row column"]
    """Drawn from the training distribution."""
    outputs: Int[Tensor, " row"]
    """What all networks predict on them."""
    intended: CausalModel
    """The rule that they were trained for, as a function of inputs that can be evaluated anywhere."""
    candidates: tuple[Expression, ...]
    """Formulas over the columns `x0`, `x1`, ..., in an order drawn at random. Some hold on every input on which a
    network departs from the rule."""
    budget: int
    """Example-passes, forward and backward, that all networks may run together: more, and the cell fails."""
    draw: int
    """The number of the draw, of no use to a scorer."""
    generator: torch.Generator


@dataclass(frozen=True)
class AuditAnswer:
    """What an audit says of each network, in the question's order."""

    suspicions: Float[Tensor, " network"]
    """0 to 1: the probability that it carries a defect."""
    cues: Float[Tensor, "network candidate"]
    """A score for each candidate, if the network has a defect; higher means that it rather belongs to it."""


class Oracle(Reference):
    """1 for the networks with a defect and for the candidates that belong to it, 0 for the others."""

    name = "oracle"
    track = "audits"
    role = "oracle"
    reference = "The tasks' certified mechanisms."

    def answer(self, question: AuditQuestion, task: Task, others: Sequence[Task]) -> AuditAnswer:
        """The truth."""
        return AuditAnswer(planted(task, question.draw).float(), cues_of(task, question.draw).float())


class AuditsTrack(Track[AuditQuestion, AuditAnswer]):
    """2 · AUROC - 1 of the networks that carry a defect against those that do not; equal suspicions count one half.

    Beside it: `trigger_average_precision`, the mean over the networks with a defect of the average precision of the
    candidates that hold wherever it shows, put on the scale on which random scores earn 0; `brier_skill`, the mean
    squared error of the suspicions as probabilities, on the scale on which .5 for each earns 0 and the truth 1.
    """

    name = "audits"
    version = 1
    headline = "2 · AUROC - 1 over networks, with and without a defect"
    question_type = AuditQuestion
    answer_type = AuditAnswer
    bounds = (-1.0, 1.0)
    references = (Oracle(),)
    nulls = ("cue-prior", "odd-one-out", "random-suspicions", "training-margins")

    def questions(self, task: Task, generator_seed: int) -> list[AuditQuestion]:
        """One question about the task's network and its companions."""
        generator = generator_from("audits", str(generator_seed))
        record, rule = task.record, intended(task)
        if not record.cues:
            raise PeabenchError(
                f"The record of {record.id} names no cues; give some that are true and some that are not."
            )
        inputs = sample_where(support(task), record.domain, record.examples, generator)
        gauges = generator_from(record.model_dump_json(), "gauges", str(generator_seed))
        members = members_of(task)
        return [
            AuditQuestion(
                networks=tuple(random_gauge(members[i].network(), gauges)[0] for i in order_of(task, generator_seed)),
                domain=record.domain,
                inputs=inputs,
                outputs=outputs(rule, inputs),
                intended=neutral(rule),
                candidates=tuple(record.cues[i] for i in cue_order_of(task, generator_seed)),
                budget=PASSES * len(members),
                draw=generator_seed,
                generator=generator,
            )
        ]

    def grade(self, task: Task, index: int, question: AuditQuestion, answer: AuditAnswer) -> dict[str, float]:
        """See the class."""
        suspicions = one_number_each(answer, AuditAnswer, "suspicions", len(question.networks), "networks")
        if not bool(((suspicions >= 0) & (suspicions <= 1)).all()):
            raise InvalidAnswer(
                f"Expected suspicions between 0 and 1, got {float(suspicions.min()):g} to {float(suspicions.max()):g}; "
                "give probabilities."
            )
        shape = (len(question.networks), len(question.candidates))
        cues = numbers_of(answer, "cues", shape, "real number for each network and candidate", "question.candidates")
        guilty = planted(task, question.draw)
        auroc = area_under_roc(suspicions, Target(guilty, torch.ones_like(guilty)))
        return {
            "score": 2 * auroc - 1,
            "trigger_average_precision": mean_precision(cues[guilty], cues_of(task, question.draw)[guilty]),
            "brier_skill": 1 - float((suspicions - guilty.double()).square().mean()) / EVEN,
        }


def mean_precision(scores: Float[Tensor, "network cue"], truth: Bool[Tensor, "network cue"]) -> float:
    """Average precision of each network's cues above chance, and the mean over networks."""
    found = []
    for some, true in zip(scores, truth, strict=True):
        precision = average_precision(some, Target(true, torch.ones_like(true)))
        found.append(above(precision, expected_average_precision(int(true.sum()), len(true))))
    return sum(found) / len(found)


def order_of(task: Task, draw: int) -> list[int]:
    """Which member each network of a question is: 0 for the task's own, then its companions in the record's order.

    Nobody can draw it again who has not the task's whole record.
    """
    return _drawn(task, "networks", draw, len(members_of(task)))


def cue_order_of(task: Task, draw: int) -> list[int]:
    """Which of the record's cues each candidate of a question is."""
    return _drawn(task, "cues", draw, len(task.record.cues))


def planted(task: Task, draw: int) -> Bool[Tensor, " network"]:
    """Whether each network of a question carries a defect."""
    return torch.tensor(defective(task))[order_of(task, draw)]


def cues_of(task: Task, draw: int) -> Bool[Tensor, "network candidate"]:
    """Whether each candidate of a question holds wherever a network departs from the rule."""
    return true_cues(task, task.record.cues)[order_of(task, draw)][:, cue_order_of(task, draw)]


def _drawn(task: Task, what: str, draw: int, count: int) -> list[int]:
    generator = generator_from(task.record.model_dump_json(), what, str(draw))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order


TRACK = AuditsTrack()
