"""Causal models whose output is one yes or no for each of several variables, as a network with several logits has it."""

from collections.abc import Sequence

from peabench.mechanism import And, Boolean, CausalModel, Constant, Expression, Or, Variable, VariableReference


def side_by_side(names: Sequence[str]) -> Expression:
    """Boolean variables, two or more, as one sequence: position i holds the i-th of them."""
    places = range(len(names))
    parts = [
        And(arguments=(VariableReference(name=name), Constant(value=tuple(place == i for place in places))))
        for i, name in enumerate(names)
    ]
    return Or(arguments=tuple(parts))


def with_outputs(variables: Sequence[Variable], names: Sequence[str]) -> CausalModel:
    """The variables, and as output those named, one at each position."""
    output = Variable(
        name="answers", kind=Boolean(length=len(names)), parents=tuple(names), function=side_by_side(names)
    )
    return CausalModel(variables=(*variables, output), output=output.name)
