"""From a plan to the mechanism that is claimed of its network, in Peabench's schema."""

import torch

from peabench.mechanism import (
    AlgorithmClaim,
    Alignment,
    Circuit,
    CircuitEdge,
    Defect,
    Expression,
    Feature,
    Gauge,
    Location,
    Mechanism,
    Steering,
    Table,
    TensorReference,
    VariableReference,
)
from peabench.mechanism.expressions import ExpressionNode
from peabench_tasks.units.assembly import Stream
from peabench_tasks.units.plan import Plan


def build_mechanism(
    plan: Plan,
    stream: Stream,
    algorithm: AlgorithmClaim | None,
    defects: tuple[Defect, ...] = (),
    *,
    steering: tuple[Steering, ...] | None = None,
    align_inputs: bool = True,
) -> Mechanism:
    """The planted mechanism: causal model, alignments at every site where a variable can be set, circuit, bystanders.

    Args:
        plan: the causal model in its network.
        stream: the planted subspaces.
        algorithm: the rival hypotheses, if there are any.
        defects: that are planted.
        steering: what holding variables at fixed values does.
        align_inputs: whether the subspaces of inputs are claimed. Of an input of which only one value matters a part of
            its subspace is enough, and the whole of it is no minimal one.
    """
    tensors, alignments = {}, []
    for variable in plan.model.variables if align_inputs else plan.model.variables[len(plan.model.inputs) :]:
        tensors[f"subspace.{variable.name}"] = stream.directions(variable.name)
        reference = TensorReference(
            name=f"subspace.{variable.name}", shape=tuple(tensors[f"subspace.{variable.name}"].shape)
        )
        places = [Location(site=f"resid.{site}@0", basis=reference) for site in plan.sites(variable.name)]
        alignments.append(Alignment(variable=variable.name, location=places[0], alternatives=tuple(places[1:])))
    decoys = []
    for bystander in plan.bystanders:
        reference = TensorReference(name=f"decoy.{bystander.name}", shape=(plan.config.d_model,))
        tensors[reference.name] = stream.directions(bystander.name)[:, 0].contiguous()
        decoys.append(
            Feature(
                name=f"decoy-{bystander.name}",
                site=f"resid.{plan.written(bystander.name)}@0",
                direction=reference,
                activation=on_the_first_axis(plan, bystander.name),
                description="Whether a variable of a rival, computed and not read, has the value of this direction.",
            )
        )
    mechanism = Mechanism(
        provenance="planted",
        causal_model=plan.model,
        alignments=tuple(alignments),
        circuit=circuit(plan),
        features=tuple(decoys),
        algorithm=algorithm,
        defects=defects,
        steering=steering,
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    )
    return mechanism.with_tensors({name: torch.clone(value) for name, value in tensors.items()})


def circuit(plan: Plan) -> Circuit:
    """The edges that carry the causal model."""
    edges = [
        CircuitEdge(
            edge=f"{plan.node(variable.name)} <- {plan.node(parent)}",
            status="required",
            carries=((parent, variable.name),),
        )
        for variable in plan.model.variables
        for parent in variable.parents
    ]
    output = plan.model.output
    edges.append(CircuitEdge(edge=f"output <- {plan.node(output)}", status="required", carries=((output, output),)))
    return Circuit(edges=tuple(edges))


def on_the_first_axis(plan: Plan, name: str) -> Expression:
    """Whether a bystander has the value that is written at the positive end of its first direction."""
    at_end = plan.code(name)[:, 0] > 0.5
    return Table(arguments=(written_out(plan, name),), shape=(len(at_end),), values=tuple(map(bool, at_end)))


def written_out(plan: Plan, name: str) -> Expression:
    """What a bystander is in terms of the causal model's variables."""
    apart = {variable.name for variable in plan.computed} - plan.model.kinds.keys()
    expression = plan.function(name)
    return _replaced(plan, expression, apart)


def _replaced(plan: Plan, expression: Expression, apart: set[str]) -> Expression:
    """An expression in which what the model does not compute is written out."""
    if isinstance(expression, VariableReference):
        return written_out(plan, expression.name) if expression.name in apart else expression
    changed = {
        field: tuple(_replaced(plan, child, apart) for child in value)
        for field, value in expression
        if isinstance(value, tuple) and value and isinstance(value[0], ExpressionNode)
    }
    return expression.model_copy(update=changed)
