"""Ways to find the product of three permutations, as causal models of one behaviour."""

from peabench.mechanism import CausalModel, Variable
from peabench_tasks.tracking.permutations import inverse, product, turn
from peabench_tasks.tracking.variables import ANSWER, PERMUTATION, TURN, multiplied, signed, together, tokens, turned
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

TOKENS = tokens(3)
T1, T2, T3 = TOKENS


def model(*computed: Variable) -> CausalModel:
    """A causal model of the tokens' product; the last variable is the answer."""
    return CausalModel(variables=(*TOKENS, *computed), output=ANSWER)


def algorithms() -> tuple[Algorithm, ...]:
    """Both bracketings, plain, after the sign and in parts; and the middle token carried past one of its neighbours."""
    parity = signed("sign", *TOKENS)
    p12, p23, p13 = multiplied(T1, T2, "p12"), multiplied(T2, T3, "p23"), multiplied(T1, T3, "p13")
    r12, r23, r13 = turned(T1, T2, "r12"), turned(T2, T3, "r23"), turned(T1, T3, "r13")
    s12, s23 = signed("s12", T1, T2), signed("s23", T2, T3)
    over = lookup("over1", PERMUTATION, (T1, T2), lambda a, b: product(product(a, b), inverse(a)))
    under = lookup("under3", PERMUTATION, (T2, T3), lambda b, c: product(product(inverse(c), b), c))
    turned_under = lookup("r_under3", TURN, (T2, T3), lambda b, c: turn(product(product(inverse(c), b), c)))
    first = lookup(ANSWER, PERMUTATION, (r12, s12, T3), lambda r, s, c: product(r + 3 * s, c))
    last = lookup(ANSWER, PERMUTATION, (T1, r23, s23), lambda a, r, s: product(a, r + 3 * s))
    return (
        Algorithm("left", "(1 2) 3: one after another", model(p12, multiplied(p12, T3, ANSWER))),
        Algorithm("right", "1 (2 3): from the last one back", model(p23, multiplied(T1, p23, ANSWER))),
        Algorithm("sign-left", "the sign; (1 2) 3", model(parity, p12, together(p12, T3, parity))),
        Algorithm("sign-right", "the sign; 1 (2 3)", model(parity, r23, together(T1, r23, parity))),
        Algorithm("parts-left", "(1 2) as turn and sign; 3", model(r12, s12, first)),
        Algorithm("parts-right", "1; (2 3) as turn and sign", model(r23, s23, last)),
        Algorithm("over", "(1 2 1') (1 3)", model(over, p13, multiplied(over, p13, ANSWER))),
        Algorithm("under", "(1 3) (3' 2 3)", model(p13, under, multiplied(p13, under, ANSWER))),
        Algorithm("sign-over", "the sign; (1 2 1') (1 3)", model(parity, over, r13, together(over, r13, parity))),
        Algorithm(
            "sign-under",
            "the sign; (1 3) (3' 2 3)",
            model(parity, p13, turned_under, together(p13, turned_under, parity)),
        ),
    )
