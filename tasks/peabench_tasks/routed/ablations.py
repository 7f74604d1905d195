"""`python -m peabench_tasks.routed.ablations`: what is lost with an expert, gradients routed or not, in Markdown.

The experts of every task of the variant `trained` are trained again, as they were and without masks, and each is
ablated in turn: what it writes is left out. It takes 15 seconds.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.generators import generator_of
from peabench.seeds import seed_of
from peabench_tasks.audits.representations import outcome
from peabench_tasks.audits.specification import Specification
from peabench_tasks.commands import expect_no_arguments, print_table, run
from peabench_tasks.routed.gradient_routing import answered, examples, gradient_routed
from peabench_tasks.routed.specifications import specifications

HEADINGS = ("task", "gradients", "right with all experts", "own class right without an expert", "another class right")


def main() -> None:
    """Two rows for each task: the range over experts, and over experts and other classes."""
    expect_no_arguments()
    rows = []
    for specification in (one for one in specifications() if one.audit.together):
        for masked in (True, False):
            whole, without = ablated(specification, masked=masked)
            own = torch.eye(len(without), dtype=torch.bool)
            parts = [f"{float(some.min()):.2f} to {float(some.max()):.2f}" for some in (without[own], without[~own])]
            routed = "routed" if masked else "of all examples to all experts"
            rows.append([f"`{specification.family}/{specification.name}`", routed, f"{whole:.2f}", *parts])
    print_table(HEADINGS, rows, texts=2)


def ablated(specification: Specification, *, masked: bool) -> tuple[float, Float[Tensor, "expert class"]]:
    """Share of the answers that are right, and of each class's without each expert."""
    plan, experts = specification.plan(specification.members(0)[0], 0), list(specification.audit.together)
    generator = generator_of(seed_of("lesson", specification.name, 0, experts[0]))
    lessons = gradient_routed(plan, generator, experts=experts, asked="x0", masked=masked)
    read, classes, answers = examples(plan, experts, "x0")
    said = torch.stack([outcome(lesson, read) for lesson in lessons.values()])
    right = torch.stack([answered(said.sum(0) - some) == answers for some in said]).double()
    each = torch.stack([right[:, classes == number].mean(1) for number in range(len(experts))], 1)
    return float((answered(said.sum(0)) == answers).double().mean()), each


if __name__ == "__main__":
    run(main)
