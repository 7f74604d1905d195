"""Ways to find the product of four permutations, as causal models of one behaviour."""

from peabench.mechanism import CausalModel, Variable
from peabench_tasks.tracking.permutations import inverse, product
from peabench_tasks.tracking.variables import ANSWER, PERMUTATION, multiplied, signed, together, tokens, turned
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

TOKENS = tokens(4)


def model(*computed: Variable) -> CausalModel:
    """A causal model of the tokens' product; the last variable is the answer."""
    return CausalModel(variables=(*TOKENS, *computed), output=ANSWER)


def algorithms() -> tuple[Algorithm, ...]:
    """All ways."""
    return (*bracketings(), *parity_first(), *halves(), *carried())


def bracketings() -> tuple[Algorithm, ...]:
    """The five ways to put brackets around four factors."""
    t1, t2, t3, t4 = TOKENS
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


def parity_first() -> tuple[Algorithm, ...]:
    """The same, where the sign of all tokens is found on its own and the rest only says which element of that sign."""
    t1, t2, t3, t4 = TOKENS
    parity = signed("sign", *TOKENS)
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


def halves() -> tuple[Algorithm, ...]:
    """Mixtures: of one half of the tokens, or of both, the sign and the turn each on its own."""
    t1, t2, t3, t4 = TOKENS
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


def carried() -> tuple[Algorithm, ...]:
    """A factor is carried past its neighbours, which it changes."""
    t1, t2, t3, t4 = TOKENS
    p13, p14, p23, p24 = (
        multiplied(one, other, name)
        for one, other, name in ((t1, t3, "p13"), (t1, t4, "p14"), (t2, t3, "p23"), (t2, t4, "p24"))
    )
    under = lookup("under3", PERMUTATION, (t2, t3), lambda b, c: product(product(inverse(c), b), c))
    over = lookup("over2", PERMUTATION, (t2, t3), lambda b, c: product(product(b, c), inverse(b)))
    first, last = multiplied(p13, under, "p123"), multiplied(over, p24, "p234")
    turned_in = lookup("under4", PERMUTATION, (p23, t4), lambda m, d: product(product(inverse(d), m), d))
    turned_out = lookup("over1", PERMUTATION, (t1, p23), lambda a, m: product(product(a, m), inverse(a)))
    return (
        Algorithm("under", "((1 3) (3' 2 3)) 4", model(p13, under, first, multiplied(first, t4, ANSWER))),
        Algorithm("over", "1 ((2 3 2') (2 4))", model(over, p24, last, multiplied(t1, last, ANSWER))),
        Algorithm("outer-under", "(1 4) (4' (2 3) 4)", model(p14, p23, turned_in, multiplied(p14, turned_in, ANSWER))),
        Algorithm("outer-over", "(1 (2 3) 1') (1 4)", model(p14, p23, turned_out, multiplied(turned_out, p14, ANSWER))),
    )
