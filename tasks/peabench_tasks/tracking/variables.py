"""What is computed on the way to a product of permutations.

A variable's name says which function of the tokens it is: `p123` is the product of the first three, `r234` the turn of
the product of the last three, `sign` the sign of all.
"""

from peabench.mechanism import Boolean, Category, Table, Variable, VariableReference, Xor
from peabench_tasks.tracking.permutations import ELEMENTS, product, sign, turn
from peabench_tasks.units.lookup import lookup

PERMUTATION = Category(values=ELEMENTS)
TURN = Category(values=3)
ANSWER = "answer"


def tokens(length: int) -> tuple[Variable, ...]:
    """The input variables."""
    return tuple(Variable(name=f"t{i + 1}", kind=PERMUTATION, columns=(i,)) for i in range(length))


def multiplied(one: Variable, other: Variable, name: str) -> Variable:
    """The product of what two variables hold."""
    return lookup(name, PERMUTATION, (one, other), product)


def turned(one: Variable, other: Variable, name: str) -> Variable:
    """The turn of a product, of which the second factor's sign says nothing."""
    return lookup(name, TURN, (one, other), lambda a, b: turn(product(a, turn(b))))


def together(one: Variable, other: Variable, parity: Variable) -> Variable:
    """The element of a given sign whose turn is that of a product."""
    return lookup(ANSWER, PERMUTATION, (one, other, parity), lambda a, b, s: turn(product(a, turn(b))) + 3 * s)


def signed(name: str, *tokens: Variable) -> Variable:
    """Whether an odd number of tokens are swaps."""
    swaps = tuple(bool(sign(element)) for element in range(ELEMENTS))
    tables = (
        Table(arguments=(VariableReference(name=token.name),), shape=(ELEMENTS,), values=swaps) for token in tokens
    )
    parents = tuple(token.name for token in tokens)
    return Variable(name=name, kind=Boolean(), parents=parents, function=Xor(arguments=tuple(tables)))
