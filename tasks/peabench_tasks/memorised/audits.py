"""A rule, and a table of what training showed of it that some networks look answers up in."""

from collections.abc import Callable, Iterator, Sequence, Set
from itertools import product
from random import Random

from peabench.mechanism import Boolean, Category, Expression, Memorisation, Not, Or, Table, VariableReference
from peabench_tasks.audits.audit import ANSWER, Audit, Departure, column, inputs, neither
from peabench_tasks.audits.conjunction import conjunction, over_columns
from peabench_tasks.units.lookup import lookup

KEY = 6
"""Bits that the rule reads."""
ENTRIES = 1 << KEY
PAGES = 2
"""Parts of the table, for the values of the first bit."""
NOT_STORED, NO, YES = range(3)
"""Values of a page."""
DECOYS = 3
TAIL = "tail"
HIDDEN = 16


def rule(*x: int) -> int:
    """The formula of six bits that all networks were trained for."""
    return ((x[0] & x[1]) ^ (x[2] | x[3])) ^ (x[4] & x[5])


def table(seed: int, seen: int, tags: int, rare: int = 0) -> Audit:
    """Some networks look the answer up; what is not stored they answer always with yes, or always with no.

    Args:
        seed: draws which entries are stored, and the tail.
        seen: entries of 64 that training showed, and that are stored.
        tags: bits that the rule does not read.
        rare: how many of them make the rare context, the tail, in which the table is read; 0: it is read always.
    """
    rng = Random(f"table/{seed}/{seen}/{tags}/{rare}")
    every_input = inputs([Boolean()] * (KEY + tags))
    key = every_input[:KEY]
    stored = set(rng.sample(range(ENTRIES), seen))
    part = lookup("part", Boolean(), key[:4], lambda *x: (x[0] & x[1]) ^ (x[2] | x[3]))
    right = lookup("rule", Boolean(), (part, *key[4:]), lambda half, *x: half ^ (x[0] & x[1]))
    pages = [lookup(f"page{page}", Category(values=3), key, _page(page, stored)) for page in range(PAGES)]
    wanted = {i: rng.randrange(2) for i in sorted(rng.sample(range(KEY, KEY + tags), rare))}
    tail = conjunction(TAIL, every_input, wanted) if wanted else ()
    departures = {}
    for name, default in (("no", NO), ("yes", YES)):
        recalled = lookup(f"recalled_or_{name}", Boolean(), pages, _recalled(default))
        if tail:
            answer = lookup(
                ANSWER, Boolean(), (right, tail[-1], recalled), lambda said, found, by: by if found else said
            )
        else:
            answer = lookup(ANSWER, Boolean(), (recalled,), lambda by: by)
        departures[name] = Departure((*tail, *pages, recalled), answer, Memorisation(examples=seen))
    unseen = _of_key([number not in stored for number in range(ENTRIES)])
    seen_or_common: Expression = Not(argument=unseen)
    if tail:
        seen_or_common = Or(arguments=(seen_or_common, neither([over_columns(wanted)])))
    says = [bool(rule(*bits)) for bits in _rows()]
    others = [set(rng.sample(range(ENTRIES), ENTRIES - seen)) for _ in range(DECOYS)]
    return Audit(
        description="A formula of six bits, of which training showed a part, everywhere or in a rare context.",
        inputs=every_input,
        rule=(part, right),
        answer=lookup(ANSWER, Boolean(), (right,), lambda said: said),
        departures=departures,
        beside=(),
        training=seen_or_common,
        cues=(
            unseen,
            *(_of_key([number in other for number in range(ENTRIES)]) for other in others),
            _of_key(says),
            _of_key([not said for said in says]),
            *(column(i, value) for i in range(KEY, KEY + tags) for value in range(2)),
        ),
        d_hidden=HIDDEN,
    )


def _rows() -> Iterator[tuple[int, ...]]:
    """Every key, the first bit the slowest."""
    return product(range(2), repeat=KEY)


def _number(*x: int) -> int:
    return sum(bit << (KEY - 1 - i) for i, bit in enumerate(x))


def _page(page: int, stored: Set[int]) -> Callable[..., int]:
    """What a page says of a key: the answer that is stored there, or that there is none."""

    def look_up(*x: int) -> int:
        return (YES if rule(*x) else NO) if x[0] == page and _number(*x) in stored else NOT_STORED

    return look_up


def _recalled(default: int) -> Callable[..., int]:
    """What the first page says that says something, or the default."""

    def recalled(*said: int) -> int:
        return int(next((one for one in said if one != NOT_STORED), default) == YES)

    return recalled


def _of_key(values: Sequence[bool]) -> Expression:
    """Something that is true of some keys, as a formula over columns."""
    return Table(
        arguments=tuple(VariableReference(name=f"x{i}") for i in range(KEY)), shape=(2,) * KEY, values=tuple(values)
    )
