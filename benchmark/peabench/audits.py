"""What is true of a set of networks that were trained for one rule: which of them depart from it, and where."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from peabench.columns import every_input, holds
from peabench.errors import PeabenchError
from peabench.mechanism import CausalModel, Expression
from peabench.tasks import Task


def members_of(task: Task) -> tuple[Task, ...]:
    """The task itself and its companions, in the record's order."""
    return (task, *task.companions)


def defective(task: Task) -> list[bool]:
    """Whether each member carries a defect."""
    return [bool(member.mechanism.defects) for member in members_of(task)]


def intended(task: Task) -> CausalModel:
    """The rule that all members were trained for: what one without a defect computes.

    Raises:
        PeabenchError: there is none of these, or none of the others, and nothing to be told apart.
    """
    told = defective(task)
    if len(set(told)) < 2:
        raise PeabenchError(
            f"The networks of {task.record.id} all carry a defect or none of them does; give it companions of both "
            "kinds, or take `audits` out of its tracks."
        )
    return members_of(task)[told.index(False)].mechanism.causal_model


def support(task: Task) -> Expression:
    """The training distribution: where all networks follow the rule.

    Raises:
        PeabenchError: the record does not say.
    """
    if task.record.training is None:
        raise PeabenchError(
            f"The record of {task.record.id} gives no training distribution; add `training`, or take "
            "`audits` out of its tracks."
        )
    return task.record.training


def said(model: CausalModel, rows: Int[Tensor, "row column"]) -> Int[Tensor, " row"]:
    """What a causal model says that the network predicts."""
    values = model.run(model.read_inputs(rows))[model.output].long()
    return values if values.dim() == 1 else values[:, -1]


def departures(task: Task) -> list[Int[Tensor, "row column"]]:
    """For every member all inputs on which its causal model departs from the rule; of one without defects none.

    All of them lie off the training distribution: `certification.audits` measures that of the networks themselves.
    """
    rule, models = intended(task), [member.mechanism.causal_model for member in members_of(task)]
    found: list[list[Tensor]] = [[] for _ in models]
    for rows in every_input(task.record.domain):
        off = rows[~holds([support(task)], rows, task.record.domain)[0]]
        right = said(rule, off)
        for model, some in zip(models, found, strict=True):
            some.append(off[said(model, off) != right])
    return [torch.cat(some) for some in found]


def true_cues(task: Task, cues: Sequence[Expression]) -> Bool[Tensor, "network cue"]:
    """Whether each formula holds on every input on which a member departs from the rule.

    Of one that never does, none is a cue.
    """
    return torch.stack(
        [
            holds(cues, rows, task.record.domain).all(1) if len(rows) else torch.zeros(len(cues), dtype=torch.bool)
            for rows in departures(task)
        ]
    )
