"""Ways to find the carry out of the sum of two numbers of three digits, as causal models of one behaviour.

In all of them a variable's name says which function of the digits it is: `c2` is the carry out of the two lowest
digits, `s1` the sum of the middle ones, `d21` what the two highest do to a carry together; `g`, `p` and `k` are whether
digits make one, would pass one on, and either of these.
"""

from collections.abc import Callable

from peabench.mechanism import Boolean, Category, CausalModel, Variable
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

BASE = 3
ANSWER = "answer"
STOP, PASS, MAKE = range(3)
"""What digits do to a carry that comes in."""
EFFECT = Category(values=3)
SUM = Category(values=2 * BASE - 1)
DIGITS = tuple(
    Variable(name=f"{number}{place}", kind=Category(values=BASE), columns=(column,))
    for column, (number, place) in enumerate((number, place) for number in "ab" for place in (2, 1, 0))
)
A2, A1, A0, B2, B1, B0 = DIGITS
BITS: dict[str, Callable[[int], bool]] = {
    "g": lambda effect: effect == MAKE,
    "p": lambda effect: effect == PASS,
    "k": lambda effect: effect != STOP,
}
CORNERS = dict.fromkeys(("s1", "s2"), (0, 3, 2, 1, 4))
"""Sums that stop a carry are written opposite each other, and so are those that make one: no direction of the stream
goes from stopping over passing to making, along which a carry could be added to them.
"""


def effect(total: int) -> int:
    """What two digits of a sum do to a carry."""
    return MAKE if total >= BASE else PASS if total == BASE - 1 else STOP


def after(high: int, low: int) -> int:
    """What a group of digits does to a carry, of what its higher and its lower part do."""
    return low if high == PASS else high


def carried(what: int, carry: int) -> int:
    """Whether a carry comes out."""
    return int(what == MAKE or (what == PASS and carry == 1))


def grouped(a2: int, a1: int, b2: int, b1: int) -> int:
    """What the two highest digits do to a carry."""
    return after(effect(a2 + b2), effect(a1 + b1))


C1 = lookup("c1", Boolean(), (A0, B0), lambda a, b: carried(effect(a + b), 0))
C2 = lookup("c2", Boolean(), (A1, B1, C1), lambda a, b, c: carried(effect(a + b), c))
S1 = lookup("s1", SUM, (A1, B1), lambda a, b: a + b)
S2 = lookup("s2", SUM, (A2, B2), lambda a, b: a + b)
D21 = lookup("d21", EFFECT, (A2, A1, B2, B1), grouped)
D21_DOWN = lookup("d21", EFFECT, (A1, B1, S2), lambda a, b, s: after(effect(s), effect(a + b)))


def bit(letter: str, place: str) -> Variable:
    """Whether the middle digits (1), the highest (2) or both (21) make a carry, pass one on, or either."""
    holds = BITS[letter]
    if place == "21":
        return lookup(letter + place, Boolean(), (A2, A1, B2, B1), lambda *digits: int(holds(grouped(*digits))))
    a, b = (A1, B1) if place == "1" else (A2, B2)
    return lookup(letter + place, Boolean(), (a, b), lambda one, other: int(holds(effect(one + other))))


def said(letters: str, one: int, other: int) -> int:
    """What digits do to a carry, of two of three bits; where these contradict each other, the first is believed."""
    first, second = (PASS, MAKE) if letters == "pk" else (MAKE, PASS)
    return first if one else second if other else STOP


def model(*computed: Variable) -> CausalModel:
    """A causal model of the carry; the last variable is the answer."""
    return CausalModel(variables=(*DIGITS, *computed), output=ANSWER)


def answer(parents: tuple[Variable, ...], function: Callable[..., int]) -> Variable:
    """The carry out of all digits."""
    return lookup(ANSWER, Boolean(), parents, function)


def by_values() -> tuple[Algorithm, ...]:
    """One digit after another from either end, all digits at once, and the two highest as a group."""
    up = answer((A2, B2, C2), lambda a, b, c: carried(effect(a + b), c))
    parallel = answer((C1, S1, S2), lambda c, low, high: carried(after(effect(high), effect(low)), c))
    group = answer((C1, D21), lambda c, both: carried(both, c))
    down = answer((A0, B0, D21_DOWN), lambda a, b, both: carried(both, carried(effect(a + b), 0)))
    return (
        Algorithm("ripple", "c1, then c2, then the carry out: lowest digit first", model(C1, C2, up)),
        Algorithm("parallel", "c1, s1 and s2 all at once, then the carry out", model(C1, S1, S2, parallel)),
        Algorithm("group", "c1, and d21 of both higher digits, then the carry out", model(C1, D21, group)),
        Algorithm("downward", "s2, then d21, then the carry out: highest digit first", model(S2, D21_DOWN, down)),
    )


def by_bits(letters: str) -> Algorithm:
    """Two bits for each of the two higher digits: carry look-ahead."""
    read = tuple(bit(letter, place) for place in "12" for letter in letters)

    def value(carry: int, *bits: int) -> int:
        return carried(after(said(letters, *bits[2:]), said(letters, *bits[:2])), carry)

    return Algorithm(
        f"digits-{letters}",
        f"c1, {', '.join(variable.name for variable in read)} all at once, then the carry out",
        model(C1, *read, answer((C1, *read), value)),
    )


def by_group_bits(letters: str) -> Algorithm:
    """Two bits for the two higher digits together."""
    read = tuple(bit(letter, "21") for letter in letters)
    last = answer((C1, *read), lambda carry, one, other: carried(said(letters, one, other), carry))
    return Algorithm(
        f"group-{letters}", f"c1, {read[0].name} and {read[1].name}, then the carry out", model(C1, *read, last)
    )


ALGORITHMS = (
    *by_values(),
    *(by_bits(letters) for letters in ("gp", "gk", "pk")),
    *(by_group_bits(letters) for letters in ("gp", "gk", "pk")),
)
