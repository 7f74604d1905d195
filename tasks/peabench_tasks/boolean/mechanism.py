"""From a plan to the mechanism that it plants, in Peabench's schema."""

from collections.abc import Iterable
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import (
    Alignment,
    And,
    Boolean,
    CausalModel,
    Circuit,
    CircuitEdge,
    Constant,
    Expression,
    Feature,
    Gauge,
    Implies,
    Location,
    Majority,
    Mechanism,
    Not,
    Or,
    Select,
    TensorReference,
    Variable,
    VariableReference,
    Xor,
)
from peabench_tasks.boolean.formulas import Derived, Formula, Gate
from peabench_tasks.boolean.plan import Plan, decoy_column
from peabench_tasks.boolean.tables import variable_numbers

OUTPUT = "output"
Parts = tuple[tuple[str, int], ...]
"""Inputs and gates whose directions add up to another, with their signs."""


def causal_model(formula: Formula) -> CausalModel:
    """The formula as a causal model; derived variables stand before the gate that reads them."""
    derived = {d.name: d for d in formula.derived}
    variables = [Variable(name=name, kind=Boolean(), columns=(i,)) for i, name in enumerate(formula.inputs)]
    written: set[str] = set()
    for gate in formula.gates:
        for name, _ in gate.literals:
            if name in derived and name not in written:
                variables.append(_derived_variable(derived[name]))
                written.add(name)
        variables.append(
            Variable(
                name=gate.name,
                kind=Boolean(),
                parents=tuple(dict.fromkeys(name for name, _ in gate.literals)),
                function=_gate_expression(gate),
            )
        )
    return CausalModel(variables=tuple(variables), output=formula.gates[-1].name)


def _derived_variable(derived: Derived) -> Variable:
    function = nary(derived.kind, tuple(_literal(name, negated) for name, negated in derived.literals))
    return Variable(name=derived.name, kind=Boolean(), parents=derived.parents, function=function)


def _literal(name: str, negated: bool) -> Expression:
    reference = VariableReference(name=name)
    return Not(argument=reference) if negated else reference


def _gate_expression(gate: Gate) -> Expression:
    operands = [_literal(name, negated) for name, negated in gate.literals]
    if gate.operation == "implies":
        return Implies(premise=operands[0], conclusion=operands[1])
    return nary(gate.operation, tuple(operands))


def nary(operation: str, arguments: tuple[Expression, ...]) -> Expression:
    """An operation on any number of operands."""
    if operation == "select":
        return Select(condition=arguments[0], then=arguments[1], otherwise=arguments[2])
    if operation == "parity_if":
        return And(arguments=(arguments[0], Xor(arguments=arguments[1:])))
    if operation.startswith("exactly_"):
        count = int(operation.removeprefix("exactly_"))
        return And(arguments=(_at_least(count, arguments), Not(argument=_at_least(count + 1, arguments))))
    nodes: dict[str, type[And | Or | Xor | Majority]] = {"and": And, "or": Or, "xor": Xor, "majority": Majority}
    return nodes[operation](arguments=arguments)


def _at_least(count: int, arguments: tuple[Expression, ...]) -> Expression:
    """Whether so many are true: where that is neither any nor all, the majority of these and of constants."""
    if count == 1:
        return Or(arguments=arguments)
    if count == len(arguments):
        return And(arguments=arguments)
    beside = 2 * count - 1 - len(arguments)
    return Majority(arguments=(*arguments, *[Constant(value=beside < 0)] * abs(beside)))


def build_mechanism(plan: Plan, basis: Float[Tensor, "d_model d_model"]) -> Mechanism:
    """The planted mechanism: causal model, alignments at every site where a gate can be set, circuit, decoys.

    Inputs are aligned at the embedding alone; that they survive in their directions is what isolation checks.

    Args:
        plan: formula and placement.
        basis: the planted directions, as in `targets.Targets`.
    """
    number = variable_numbers(plan)
    tensors: dict[str, Tensor] = {}

    def direction(parts: Parts) -> TensorReference:
        key = "direction." + ".".join(name for name, _ in parts)
        tensors[key] = torch.zeros(len(basis), 1)
        for name, sign in parts:
            tensors[key] += sign * basis[:, [number[name]]] / len(parts) ** 0.5
        return TensorReference(name=key, shape=tuple(tensors[key].shape))

    def locations(sets: Iterable[Parts], sites: range) -> tuple[Location, ...]:
        return tuple(Location(site=f"resid.{i}@0", basis=direction(parts)) for parts in sets for i in sites)

    alignments = []
    for name in plan.variables:
        places = locations([((name, 1),)], plan.sites(name))[: None if name in plan.units else 1]
        alignments.append(Alignment(variable=name, location=places[0], alternatives=places[1:]))
    for derived in plan.formula.derived:
        # Two of three copies are enough for the majority.
        parts = tuple(zip(derived.parents, derived.signs, strict=True))
        enough = [parts, *(combinations(parts, 2) if derived.kind == "majority" else ())]
        places = locations(enough, plan.derived_sites(derived))
        alignments.append(Alignment(variable=derived.name, location=places[0], alternatives=places[1:]))
    features = []
    for i, decoy in enumerate(plan.decoys):
        key = f"decoy.{decoy.variable}"
        tensors[key] = basis[:, decoy_column(plan, i)].contiguous()
        features.append(
            Feature(
                name=f"decoy-{decoy.variable}",
                site=f"resid.{decoy.unit[0] + 1}@0",
                direction=TensorReference(name=key, shape=tuple(tensors[key].shape)),
                activation=Or(
                    arguments=(VariableReference(name=decoy.variable), VariableReference(name=decoy.spoiler))
                ),
                description=f"A strong copy that decides nothing, true where {decoy.spoiler} is. "
                f"What is read of {decoy.variable} itself has some of {decoy.nuisance} in it.",
            )
        )
    mechanism = Mechanism(
        provenance="planted",
        causal_model=causal_model(plan.core),
        alignments=tuple(alignments),
        circuit=circuit(plan),
        features=tuple(features),
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    )
    return mechanism.with_tensors({name: torch.clone(value) for name, value in tensors.items()})


def circuit(plan: Plan) -> Circuit:
    """Edges that carry the formula; copies of which two of three suffice are optional, one circuit for each two."""
    formula = plan.core
    derived_of = {parent: d.name for d in formula.derived for parent in d.parents}
    through = {d.name: d for d in formula.derived}
    copies = next((d.parents for d in formula.derived if d.kind == "majority"), ())
    edges: list[CircuitEdge] = []
    of_copy: dict[str, list[str]] = {name: [] for name in copies}
    for gate in formula.gates:
        reads_derived = [name for name, _ in gate.literals if name in through]
        for parent in formula.read[gate.name]:
            carries = [(parent, gate.name)] if any(name == parent for name, _ in gate.literals) else []
            carries += [(parent, name) for name in reads_derived if derived_of.get(parent) == name]
            address = f"{plan.node(gate.name)} <- {plan.node(parent)}"
            owner = next((c for c in copies if c in (gate.name, parent)), None)
            if owner is not None:
                of_copy[owner].append(address)
            edges.append(CircuitEdge(edge=address, status="optional" if owner else "required", carries=tuple(carries)))
    root = formula.gates[-1].name
    edges.append(CircuitEdge(edge=f"{OUTPUT} <- {plan.node(root)}", status="required", carries=((root, root),)))
    required = [edge.edge for edge in edges if edge.status == "required"]
    minimal = tuple(tuple(required + of_copy[a] + of_copy[b]) for a, b in combinations(copies, 2))
    return Circuit(edges=tuple(edges), minimal_circuits=minimal)
