"""Causal models whose output is one yes or no for each logit of a network."""

from collections.abc import Sequence

from peabench.mechanism import And, Boolean, CausalModel, Constant, Expression, Or, Variable, VariableReference


def side_by_side(names: Sequence[str | None]) -> Expression:
    """Boolean variables, two or more, as one sequence: position i holds the i-th of them; None is never true."""
    places = range(len(names))
    parts = [
        And(arguments=(VariableReference(name=name), Constant(value=tuple(place == i for place in places))))
        for i, name in enumerate(names)
        if name is not None
    ]
    return Or(arguments=tuple(parts))


def with_outputs(variables: Sequence[Variable], names: Sequence[str | None]) -> CausalModel:
    """The variables, and as output those named, one at each position; where there is None the answer is always no."""
    output = Variable(
        name="answers",
        kind=Boolean(length=len(names)),
        parents=tuple(name for name in names if name is not None),
        function=side_by_side(names),
    )
    return CausalModel(variables=(*variables, output), output=output.name)
