"""Causal models whose output is one yes or no for each logit of a network."""

from collections.abc import Sequence

from peabench.mechanism import (
    And,
    Boolean,
    CausalModel,
    Compare,
    Constant,
    Expression,
    Or,
    Range,
    Variable,
    VariableReference,
)

PLACE = "place"
"""The variable that numbers the outputs 0, 1, ...; each of them is compared with it."""


def side_by_side(names: Sequence[str | None]) -> Expression:
    """Boolean variables, two or more, as one sequence: position i holds the i-th of them; None is never true."""
    place = VariableReference(name=PLACE)
    parts = [
        And(arguments=(VariableReference(name=name), Compare(relation="eq", left=place, right=Constant(value=i))))
        for i, name in enumerate(names)
        if name is not None
    ]
    return Or(arguments=tuple(parts))


def with_outputs(variables: Sequence[Variable], names: Sequence[str | None]) -> CausalModel:
    """The variables, and as output those named, one at each position; where there is None the answer is always no."""
    count = len(names)
    place = Variable(
        name=PLACE, kind=Range(low=0, high=count - 1, length=count), function=Constant(value=tuple(range(count)))
    )
    output = Variable(
        name="answers",
        kind=Boolean(length=count),
        parents=(PLACE, *(name for name in names if name is not None)),
        function=side_by_side(names),
    )
    return CausalModel(variables=(*variables, place, output), output=output.name)
