"""Ways to find the product of four permutations, as causal models of one behaviour.

In all of them a variable's name says which function of the tokens it is: `p123` is the product of the first three,
`r234` the turn of the product of the last three, `sign` the sign of all.
"""

from peabench.mechanism import Boolean, Category, CausalModel, Table, Variable, VariableReference, Xor
from peabench_tasks.tracking.permutations import ELEMENTS, product, sign, turn
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

PERMUTATION = Category(values=ELEMENTS)
TURN = Category(values=3)
ANSWER = "answer"
TOKENS = tuple(Variable(name=f"t{i}", kind=PERMUTATION, columns=(i - 1,)) for i in range(1, 5))
T1, T2, T3, T4 = TOKENS


def multiplied(one: Variable, other: Variable, name: str | None = None) -> Variable:
    """The product of what two variables hold."""
    places = name or "p" + "".join(sorted(set(one.name + other.name) & set("1234")))
    return lookup(places, PERMUTATION, (one, other), product)


def turned(one: Variable, other: Variable, name: str) -> Variable:
    """The turn of a product, of which the second factor's sign says nothing."""
    return lookup(name, TURN, (one, other), lambda a, b: turn(product(a, b % 3)))


def signed(name: str, *parts: Variable) -> Variable:
    """Whether an odd number of tokens are swaps."""
    swaps = tuple(
        Table(
            arguments=(VariableReference(name=part.name),),
            shape=(ELEMENTS,),
            values=tuple(bool(sign(element)) for element in range(ELEMENTS)),
        )
        for part in parts
    )
    return Variable(
        name=name, kind=Boolean(), parents=tuple(part.name for part in parts), function=Xor(arguments=swaps)
    )


def together(one: Variable, other: Variable, parity: Variable) -> Variable:
    """The element of a given sign whose turn is that of a product."""
    return lookup(ANSWER, PERMUTATION, (one, other, parity), lambda a, b, s: turn(product(a, b % 3)) + 3 * s)


def model(*computed: Variable) -> CausalModel:
    """A causal model of the tokens' product; the last variable is the answer."""
    return CausalModel(variables=(*TOKENS, *computed), output=ANSWER)


def bracketings() -> tuple[Algorithm, ...]:
    """The five ways to put brackets around four factors."""
    p12, p23, p34 = multiplied(T1, T2), multiplied(T2, T3), multiplied(T3, T4)
    left, inner_left = multiplied(p12, T3), multiplied(T1, p23)
    right, inner_right = multiplied(T2, p34), multiplied(p23, T4)
    return (
        Algorithm("left", "((1 2) 3) 4: one after another", model(p12, left, multiplied(left, T4, ANSWER))),
        Algorithm("scan", "(1 2) (3 4): both halves at once", model(p12, p34, multiplied(p12, p34, ANSWER))),
        Algorithm("inner-left", "(1 (2 3)) 4", model(p23, inner_left, multiplied(inner_left, T4, ANSWER))),
        Algorithm("inner-right", "1 ((2 3) 4)", model(p23, inner_right, multiplied(T1, inner_right, ANSWER))),
        Algorithm("right", "1 (2 (3 4)): from the last one back", model(p34, right, multiplied(T1, right, ANSWER))),
    )


def parity_first() -> tuple[Algorithm, ...]:
    """The same, where the sign of all tokens is found on its own and the rest only says which element of that sign."""
    parity = signed("sign", *TOKENS)
    p12, p23 = multiplied(T1, T2), multiplied(T2, T3)
    left, inner_left = multiplied(p12, T3), multiplied(T1, p23)
    r34, inner_right = turned(T3, T4, "r34"), turned(p23, T4, "r234")
    right = turned(T2, r34, "r234")
    return (
        Algorithm("sign-left", "the sign; ((1 2) 3) 4", model(parity, p12, left, together(left, T4, parity))),
        Algorithm("sign-scan", "the sign; (1 2) (3 4)", model(parity, p12, r34, together(p12, r34, parity))),
        Algorithm(
            "sign-inner-left", "the sign; (1 (2 3)) 4", model(parity, p23, inner_left, together(inner_left, T4, parity))
        ),
        Algorithm(
            "sign-inner-right",
            "the sign; 1 ((2 3) 4)",
            model(parity, p23, inner_right, together(T1, inner_right, parity)),
        ),
        Algorithm("sign-right", "the sign; 1 (2 (3 4))", model(parity, r34, right, together(T1, right, parity))),
    )


def halves() -> tuple[Algorithm, ...]:
    """Mixtures: of one half of the tokens, or of both, the sign and the turn each on its own."""
    p12, p34 = multiplied(T1, T2), multiplied(T3, T4)
    r12, s12 = turned(T1, T2, "r12"), signed("s12", T1, T2)
    r34, s34 = turned(T3, T4, "r34"), signed("s34", T3, T4)
    first = lookup(ANSWER, PERMUTATION, (r12, s12, p34), lambda r, s, b: product(r + 3 * s, b))
    second = lookup(ANSWER, PERMUTATION, (p12, r34, s34), lambda a, r, s: product(a, r + 3 * s))
    both = lookup(ANSWER, PERMUTATION, (r12, s12, r34, s34), lambda q, t, r, s: product(q + 3 * t, r + 3 * s))
    return (
        Algorithm("parts-first", "(1 2) as turn and sign; (3 4)", model(r12, s12, p34, first)),
        Algorithm("parts-second", "(1 2); (3 4) as turn and sign", model(p12, r34, s34, second)),
        Algorithm("parts-both", "(1 2) and (3 4), each as turn and sign", model(r12, s12, r34, s34, both)),
    )


ALGORITHMS = (*bracketings(), *parity_first(), *halves())
