"""Ways to find the product of four permutations, as causal models of one behaviour.

In all of them a variable's name says which function of the tokens it is: `p123` is the product of the first three,
`r234` the turn of the product of the last three, `sign` the sign of all.
"""

from dataclasses import dataclass

from peabench.mechanism import Boolean, Category, CausalModel, Table, Variable, VariableReference, Xor
from peabench_tasks.tracking.permutations import ELEMENTS, product, sign, turn
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

PERMUTATION = Category(values=ELEMENTS)
TURN = Category(values=3)
ANSWER = "answer"
LENGTH = 4


@dataclass(frozen=True)
class Factors:
    """Four tokens, each one of some permutations."""

    elements: tuple[int, ...]
    """The permutation that each token stands for."""

    @property
    def tokens(self) -> tuple[Variable, Variable, Variable, Variable]:
        """The input variables."""
        kind = Category(values=len(self.elements))
        one, two, three, four = (Variable(name=f"t{i + 1}", kind=kind, columns=(i,)) for i in range(LENGTH))
        return one, two, three, four

    def element(self, variable: Variable, value: int) -> int:
        """The permutation that a token's or a variable's value is; a turn is one without a swap."""
        return self.elements[value] if variable.columns else value

    def multiplied(self, one: Variable, other: Variable, name: str) -> Variable:
        """The product of what two variables hold."""
        return lookup(
            name, PERMUTATION, (one, other), lambda a, b: product(self.element(one, a), self.element(other, b))
        )

    def turned(self, one: Variable, other: Variable, name: str) -> Variable:
        """The turn of a product, of which the second factor's sign says nothing."""
        return lookup(
            name, TURN, (one, other), lambda a, b: turn(product(self.element(one, a), turn(self.element(other, b))))
        )

    def together(self, one: Variable, other: Variable, parity: Variable) -> Variable:
        """The element of a given sign whose turn is that of a product."""

        def value(a: int, b: int, swapped: int) -> int:
            return turn(product(self.element(one, a), turn(self.element(other, b)))) + 3 * swapped

        return lookup(ANSWER, PERMUTATION, (one, other, parity), value)

    def signed(self, name: str, *tokens: Variable) -> Variable:
        """Whether an odd number of tokens are swaps."""
        swaps = tuple(bool(sign(element)) for element in self.elements)
        tables = (
            Table(arguments=(VariableReference(name=token.name),), shape=(len(swaps),), values=swaps)
            for token in tokens
        )
        parents = tuple(token.name for token in tokens)
        return Variable(name=name, kind=Boolean(), parents=parents, function=Xor(arguments=tuple(tables)))

    def model(self, *computed: Variable) -> CausalModel:
        """A causal model of the tokens' product; the last variable is the answer."""
        return CausalModel(variables=(*self.tokens, *computed), output=ANSWER)


def algorithms(elements: tuple[int, ...]) -> tuple[Algorithm, ...]:
    """All ways, for tokens that stand for some permutations."""
    factors = Factors(elements)
    return (*bracketings(factors), *parity_first(factors), *halves(factors))


def bracketings(factors: Factors) -> tuple[Algorithm, ...]:
    """The five ways to put brackets around four factors."""
    t1, t2, t3, t4 = factors.tokens
    multiplied, model = factors.multiplied, factors.model
    p12, p23, p34 = multiplied(t1, t2, "p12"), multiplied(t2, t3, "p23"), multiplied(t3, t4, "p34")
    left, inner_left = multiplied(p12, t3, "p123"), multiplied(t1, p23, "p123")
    right, inner_right = multiplied(t2, p34, "p234"), multiplied(p23, t4, "p234")
    return (
        Algorithm("left", "((1 2) 3) 4: one after another", model(p12, left, multiplied(left, t4, ANSWER))),
        Algorithm("scan", "(1 2) (3 4): both halves at once", model(p12, p34, multiplied(p12, p34, ANSWER))),
        Algorithm("inner-left", "(1 (2 3)) 4", model(p23, inner_left, multiplied(inner_left, t4, ANSWER))),
        Algorithm("inner-right", "1 ((2 3) 4)", model(p23, inner_right, multiplied(t1, inner_right, ANSWER))),
        Algorithm("right", "1 (2 (3 4)): from the last one back", model(p34, right, multiplied(t1, right, ANSWER))),
    )


def parity_first(factors: Factors) -> tuple[Algorithm, ...]:
    """The same, where the sign of all tokens is found on its own and the rest only says which element of that sign."""
    t1, t2, t3, t4 = factors.tokens
    multiplied, turned, together, model = factors.multiplied, factors.turned, factors.together, factors.model
    parity = factors.signed("sign", *factors.tokens)
    p12, p23 = multiplied(t1, t2, "p12"), multiplied(t2, t3, "p23")
    left, inner_left = multiplied(p12, t3, "p123"), multiplied(t1, p23, "p123")
    r34, inner_right = turned(t3, t4, "r34"), turned(p23, t4, "r234")
    right = turned(t2, r34, "r234")
    ways = (
        ("left", "((1 2) 3) 4", (p12, left, together(left, t4, parity))),
        ("scan", "(1 2) (3 4)", (p12, r34, together(p12, r34, parity))),
        ("inner-left", "(1 (2 3)) 4", (p23, inner_left, together(inner_left, t4, parity))),
        ("inner-right", "1 ((2 3) 4)", (p23, inner_right, together(t1, inner_right, parity))),
        ("right", "1 (2 (3 4))", (r34, right, together(t1, right, parity))),
    )
    return tuple(Algorithm(f"sign-{name}", f"the sign; {text}", model(parity, *rest)) for name, text, rest in ways)


def halves(factors: Factors) -> tuple[Algorithm, ...]:
    """Mixtures: of one half of the tokens, or of both, the sign and the turn each on its own."""
    t1, t2, t3, t4 = factors.tokens
    multiplied, turned, signed, model = factors.multiplied, factors.turned, factors.signed, factors.model
    p12, p34 = multiplied(t1, t2, "p12"), multiplied(t3, t4, "p34")
    r12, s12 = turned(t1, t2, "r12"), signed("s12", t1, t2)
    r34, s34 = turned(t3, t4, "r34"), signed("s34", t3, t4)
    first = lookup(ANSWER, PERMUTATION, (r12, s12, p34), lambda r, s, b: product(r + 3 * s, b))
    second = lookup(ANSWER, PERMUTATION, (p12, r34, s34), lambda a, r, s: product(a, r + 3 * s))
    both = lookup(ANSWER, PERMUTATION, (r12, s12, r34, s34), lambda q, t, r, s: product(q + 3 * t, r + 3 * s))
    return (
        Algorithm("parts-first", "(1 2) as turn and sign; (3 4)", model(r12, s12, p34, first)),
        Algorithm("parts-second", "(1 2); (3 4) as turn and sign", model(p12, r34, s34, second)),
        Algorithm("parts-both", "(1 2) and (3 4), each as turn and sign", model(r12, s12, r34, s34, both)),
    )
