"""Ways to follow a rule that is only seen in two examples, as causal models of one behaviour.

The rule is a line, y = slope x + intercept modulo 3. Two points of it come in, and the x of a third.
"""

from collections.abc import Callable

from peabench.mechanism import Category, CausalModel, Variable
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

MODULUS = 3
ANSWER = "answer"
DIGIT = Category(values=MODULUS)
X1 = Variable(name="x1", kind=DIGIT, columns=(0,))
Y1 = Variable(name="y1", kind=DIGIT, columns=(1,))
APART = Variable(name="apart", kind=Category(values=MODULUS - 1), columns=(2,))
Y2 = Variable(name="y2", kind=DIGIT, columns=(3,))
X = Variable(name="x", kind=DIGIT, columns=(4,))


def slope(y1: int, apart: int, y2: int) -> int:
    """Of the line through both examples, whose x is 1 or 2 apart (0 or 1, as it comes in); 1 and 2 are their own
    inverses modulo 3.
    """
    return (y2 - y1) * (apart + 1) % MODULUS


def at(x: int, x1: int, y1: int, apart: int, y2: int) -> int:
    """The line's y at an x."""
    return (y1 + slope(y1, apart, y2) * (x - x1)) % MODULUS


def second(x1: int, apart: int) -> int:
    """The second example's x."""
    return (x1 + apart + 1) % MODULUS


def weight(x1: int, apart: int, x: int) -> int:
    """How much the second example counts at x, the first having the rest: 0 at the first, 1 at the second."""
    return (x - x1) * (apart + 1) % MODULUS


def model(*computed: Variable) -> CausalModel:
    """A causal model of the answer, which is the last variable."""
    return CausalModel(variables=(X1, Y1, APART, Y2, X, *computed), output=ANSWER)


def answered(parents: tuple[Variable, ...], function: Callable[..., int]) -> Variable:
    """The answer."""
    return lookup(ANSWER, DIGIT, parents, lambda *values: function(*values) % MODULUS)


def algorithms() -> tuple[Algorithm, ...]:
    """All ways."""
    return (*rules(), *slopes(), *shares(), *rises())


def rules() -> tuple[Algorithm, ...]:
    """The whole rule is found from the examples, then applied."""
    examples = (X1, Y1, APART, Y2)
    rule = lookup(
        "rule",
        Category(values=MODULUS**2),
        examples,
        lambda x1, y1, d, y2: MODULUS * slope(y1, d, y2) + at(0, x1, y1, d, y2),
    )
    steep, zero, one = _slope(), _at(0), _at(1)
    return (
        Algorithm(
            "rule", "the rule, in one", model(rule, answered((rule, X), lambda r, x: r // MODULUS * x + r % MODULUS))
        ),
        Algorithm(
            "slope-intercept",
            "slope and intercept",
            model(steep, zero, answered((steep, zero, X), lambda a, c, x: a * x + c)),
        ),
        Algorithm(
            "values",
            "what the rule says of 0 and of 1",
            model(zero, one, answered((zero, one, X), lambda c, e, x: c + (e - c) * x)),
        ),
    )


def slopes() -> tuple[Algorithm, ...]:
    """The slope is found, and the answer from one of the examples."""
    steep = _slope()
    from_first = answered((steep, X1, Y1, X), lambda a, x1, y1, x: y1 + a * (x - x1))
    from_second = answered((steep, X1, APART, Y2, X), lambda a, x1, d, y2, x: y2 + a * (x - second(x1, d)))
    return (
        Algorithm("slope-first", "the slope, from the first example on", model(steep, from_first)),
        Algorithm("slope-second", "the slope, from the second example on", model(steep, from_second)),
    )


def shares() -> tuple[Algorithm, ...]:
    """No rule is found: the examples' answers are mixed by where the question stands between them."""
    between = lookup("between", DIGIT, (X1, APART, X), weight)
    difference = lookup("difference", DIGIT, (Y1, Y2), lambda y1, y2: (y2 - y1) % MODULUS)
    of_first = lookup("share1", DIGIT, (X1, Y1, APART, X), lambda x1, y1, d, x: y1 * (1 - weight(x1, d, x)) % MODULUS)
    of_second = lookup("share2", DIGIT, (X1, APART, Y2, X), lambda x1, d, y2, x: y2 * weight(x1, d, x) % MODULUS)
    mixed = answered((between, Y1, Y2), lambda t, y1, y2: y1 + t * (y2 - y1))
    from_first = answered((between, difference, Y1), lambda t, d, y1: y1 + t * d)
    from_second = answered((between, difference, Y2), lambda t, d, y2: y2 + (t - 1) * d)
    return (
        Algorithm(
            "shares",
            "a share of each example",
            model(of_first, of_second, answered((of_first, of_second), lambda p, q: p + q)),
        ),
        Algorithm("between", "where the question is between the examples", model(between, mixed)),
        Algorithm(
            "between-first", "that and their difference, from the first on", model(between, difference, from_first)
        ),
        Algorithm(
            "between-second", "that and their difference, from the second on", model(between, difference, from_second)
        ),
    )


def rises() -> tuple[Algorithm, ...]:
    """A known value and how much the answer is above it."""
    found = []
    for name, text, y, start in (
        ("rise-first", "the first example", Y1, lambda x1, d: x1),
        ("rise-second", "the second example", Y2, second),
    ):
        rise = lookup(
            name.replace("-", "_"),
            DIGIT,
            (X1, Y1, APART, Y2, X),
            lambda x1, y1, d, y2, x, start=start: slope(y1, d, y2) * (x - start(x1, d)) % MODULUS,
        )
        found.append(Algorithm(name, f"how much above {text}", model(rise, answered((rise, y), lambda r, y: r + y))))
    for x in range(2):
        value = _at(x)
        rise = lookup(
            f"rise_from_{x}", DIGIT, (Y1, APART, Y2, X), lambda y1, d, y2, z, x=x: slope(y1, d, y2) * (z - x) % MODULUS
        )
        found.append(
            Algorithm(
                f"rise-{x}",
                f"what the rule says of {x}, and how much above",
                model(value, rise, answered((value, rise), lambda c, r: c + r)),
            )
        )
    return tuple(found)


def _slope() -> Variable:
    return lookup("slope", DIGIT, (Y1, APART, Y2), slope)


def _at(x: int) -> Variable:
    return lookup(f"at_{x}", DIGIT, (X1, Y1, APART, Y2), lambda *examples: at(x, *examples))
