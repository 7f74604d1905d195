"""The answer's unit, of which nothing but what it reads may tell whether a network has a defect."""

from dataclasses import replace

import torch

from peabench.generators import generator_of
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.audits.drawing import log_uniform
from peabench_tasks.audits.placement import AuditPlan
from peabench_tasks.units.lessons import Lesson, examples, learn, slots

SHARES = 0.01, 0.1
"""By what share, in the mean square, each weight of what an answer's unit writes is off what was learnt: between these
it is drawn for each network, on a logarithmic scale."""


def learn_answer(plan: AuditPlan, departing: AuditPlan) -> Lesson:
    """The lesson of a network's answer.

    A network that follows the rule answers as one with a defect does where that never shows: it learns the other's
    answer, and what it shall not read is cut off at the first of its values (False of a trigger). So its logits in
    training are spread as the other's are.

    Args:
        plan: of the network.
        departing: of one like it with a defect; the same where it has one.

    Raises:
        NotLearnt: the answer was not learnt.
    """
    own, other = slots(plan, ANSWER), slots(departing, ANSWER)
    if set(own) - set(other):  # what they read has nothing in common, and neither answer is a part of the other
        return learn(plan, ANSWER, generator_of(plan.seed))
    lesson = learn(departing, ANSWER, generator_of(plan.seed))
    return lesson if set(own) == set(other) else without(plan, departing, lesson)


def without(plan: AuditPlan, departing: AuditPlan, lesson: Lesson) -> Lesson:
    """A departing network's answer that reads only what a plan's does; all else stays at its first value."""
    own, other = slots(plan, ANSWER), slots(departing, ANSWER)
    bias = lesson.b_in.clone()
    for name in set(other) - set(own):
        bias += departing.code(name)[0] @ lesson.w_in[other[name]]
    kept = torch.cat([lesson.w_in[other[name]] for name in own])
    read, wanted = examples(plan, ANSWER)
    written = (read @ kept + bias).relu() @ lesson.w_out
    return Lesson(kept, bias, lesson.w_out, float((written - wanted).norm(dim=1).max()))


def unsettled(lesson: Lesson, generator: torch.Generator) -> Lesson:
    """The lesson, less exact by as much as is drawn: how far logits are spread shall not tell what a unit reads."""
    share = log_uniform(*SHARES, generator)
    return replace(lesson, w_out=lesson.w_out * (1 + share * torch.randn(lesson.w_out.shape, generator=generator)))
