"""What a program puts out when edges and variables are taken from other inputs, for groups of rows at once.

This is the trainer's and never the certificate's: certificates run the mechanism's own causal model.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from peabench.mechanism import evaluate
from peabench_tasks.planting.program import Program


def carried_edges(program: Program) -> list[list[tuple[str, str]]]:
    """(parent, child) pairs that each edge of the network carries, in the order of the layout's edges."""
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for step in program.steps:
        for read in step.reads:
            found.setdefault((step.variable, read.port, read.parent), []).append((read.parent, read.child))
    for parent, child in program.outputs:
        found.setdefault(("", "output", parent), []).append((parent, child))
    return list(found.values())


def counterfactual(
    program: Program,
    values: dict[str, Tensor],
    others: list[dict[str, Tensor]],
    edges: Int[Tensor, " group"],
    active: Bool[Tensor, " group"],
    chosen: Bool[Tensor, "source network group variable"],
) -> tuple[Int[Tensor, "network group row"], dict[str, Tensor]]:
    """The output (and all variables) when each group's edge, where it is active, shows its child the parent's value
    in the first of the other inputs, and when the chosen variables are set to their values in either.
    """
    model, carried = program.model, carried_edges(program)
    number = {step.variable: v for v, step in enumerate(program.steps)}
    run: dict[str, Tensor] = {}

    def shaped(mask: Tensor, like: Tensor) -> Tensor:
        return mask.view(*mask.shape, 1, *[1] * (like.dim() - 2))

    for variable in model.variables:
        name = variable.name
        if variable.function is None:
            run[name] = values[name][:, None]
            continue
        arguments = {}
        for parent in variable.parents:
            numbers = [i for i, pairs in enumerate(carried) if (parent, name) in pairs]
            mine = run[parent]
            if numbers:
                where = (active & torch.isin(edges, torch.tensor(numbers)))[None]
                mine = torch.where(shaped(where, values[parent]), others[0][parent][:, None], mine)
            arguments[parent] = mine
        run[name] = evaluate(variable.function, arguments, model.kinds)
        if name in number:
            for source, other in enumerate(others):
                where = shaped(chosen[source, :, :, number[name]], values[name])
                run[name] = torch.where(where, other[name][:, None], run[name])
    output = run[model.output].long()
    for i, pairs in enumerate(carried):
        if (model.output, model.output) in pairs:  # what one node writes passes to the output as it is
            where = shaped((active & (edges == i))[None], values[model.output])
            output = torch.where(where, others[0][model.output].long()[:, None], output)
    shape = (values[model.output].shape[0], len(edges), values[model.output].shape[1])
    return output.expand(shape), run
