"""From a plan, or from a memoriser, to the mechanism that is claimed of it, in Peabench's schema."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import (
    AlgorithmClaim,
    Boolean,
    CausalModel,
    Expression,
    Feature,
    Gauge,
    Mechanism,
    Not,
    Table,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench_tasks.boolean.formulas import Formula, all_inputs
from peabench_tasks.boolean.mechanism import build_mechanism, nary
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.tables import variable_numbers


def written_out(formula: Formula, name: str) -> Expression:
    """What a gate, or an input, is in terms of the inputs."""
    gates = {gate.name: gate for gate in formula.gates}
    if name not in gates:
        return VariableReference(name=name)
    literals = [(written_out(formula, operand), negated) for operand, negated in gates[name].literals]
    return nary(gates[name].operation, tuple(Not(argument=part) if negated else part for part, negated in literals))


def planted(plan: Plan, basis: Float[Tensor, "d_model d_model"], algorithm: AlgorithmClaim) -> Mechanism:
    """The planted mechanism, the bystanders listed as decoys where they are first written.

    Args:
        plan: formula and placement.
        basis: the planted directions, as in `peabench_tasks.boolean.targets.Targets`.
        algorithm: the rival hypotheses.
    """
    bare = build_mechanism(plan, basis)
    number = variable_numbers(plan)
    tensors = {reference.name: bare.tensor(reference) for _, reference in bare.places()}
    decoys = []
    for name in plan.bystanders:
        direction = torch.clone(basis[:, number[name]])
        reference = TensorReference(name=f"decoy.{name}", shape=tuple(direction.shape))
        tensors[reference.name] = direction
        decoys.append(
            Feature(
                name=f"decoy-{name}",
                site=f"resid.{plan.written(name)}@0",
                direction=reference,
                activation=written_out(plan.formula, name),
                description="A variable of a rival, computed and not read.",
            )
        )
    return Mechanism(**{**dict(bare), "features": tuple(decoys), "algorithm": algorithm}).with_tensors(tensors)


def memorised(formula: Formula, algorithm: AlgorithmClaim) -> Mechanism:
    """What is true of a network that was trained on outputs alone: a table of them, and nothing in between."""
    read = formula.used_inputs
    rows = all_inputs(len(read))
    shown = np.zeros((len(rows), formula.n_inputs), dtype=bool)
    shown[:, [formula.inputs.index(name) for name in read]] = rows
    outputs = formula.run(shown)[formula.gates[-1].name]
    output = Variable(
        name=formula.gates[-1].name,
        kind=Boolean(),
        parents=read,
        function=Table(
            arguments=tuple(VariableReference(name=name) for name in read),
            shape=(2,) * len(read),
            values=tuple(bool(value) for value in outputs),
        ),
    )
    inputs = [Variable(name=name, kind=Boolean(), columns=(i,)) for i, name in enumerate(formula.inputs)]
    return Mechanism(
        provenance="derived",
        causal_model=CausalModel(variables=(*inputs, output), output=output.name),
        algorithm=algorithm,
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    )
