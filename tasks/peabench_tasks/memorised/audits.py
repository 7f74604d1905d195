"""A rule, and a table of what training showed of it that some networks look answers up in."""

from collections.abc import Callable, Sequence, Set
from random import Random

from peabench.mechanism import Boolean, Expression, Memorisation, Not, Or, Table, VariableReference
from peabench_tasks.audits.audit import ANSWER, Audit, Departure, column, inputs, neither
from peabench_tasks.audits.conjunction import conjunction, over_columns
from peabench_tasks.units.lookup import lookup, lookup_needed

BIT = Boolean()
KEY = 5
"""Bits that the rule reads."""
ENTRIES = 1 << KEY
PAGES = 2
"""Parts of the table, for the values of the first bit."""
DECOYS = 3
TAIL = "tail"
HIDDEN = 10


def rule(*x: int) -> int:
    """The formula of five bits that all networks were trained for."""
    return (x[0] & x[1]) ^ (x[2] | x[3]) ^ x[4]


def table(seed: int, seen: int, tags: int, rare: int = 0) -> Audit:
    """Some networks have a list of what training showed a yes for, and answer no to all else; some, one of the noes.

    A page reads those bits of a key that it depends on.

    Args:
        seed: draws which entries are stored, and the tail.
        seen: keys of 32 that training showed.
        tags: bits that the rule does not read.
        rare: how many of them make the rare context, the tail, in which the table is read; 0: it is read always.
    """
    rng = Random(f"table/{seed}/{seen}/{tags}/{rare}")
    every_input = inputs([BIT] * (KEY + tags))
    key = every_input[:KEY]
    stored = set(rng.sample(range(ENTRIES), seen))
    part = lookup("part", BIT, key[:4], lambda *x: (x[0] & x[1]) ^ (x[2] | x[3]))
    right = lookup("rule", BIT, (part, *key[4:]), lambda half, last: half ^ last)
    wanted = {i: rng.randrange(2) for i in sorted(rng.sample(range(KEY, KEY + tags), rare))}
    tail = conjunction(TAIL, every_input, wanted) if wanted else ()
    departures = {}
    for default in (False, True):
        entries = {number for number in stored if rule(*_bits(number)) != default}
        name = "yes" if default else "no"
        pages = [lookup_needed(f"all_but_{name}{page}", BIT, key, _page(page, entries)) for page in range(PAGES)]
        recalled = lookup(f"{name}_unless_listed", BIT, pages, lambda *on, default=default: int(any(on) != default))
        if tail:
            answer = lookup(ANSWER, BIT, (right, tail[-1], recalled), lambda said, found, by: by if found else said)
        else:
            answer = lookup(ANSWER, BIT, (recalled,), lambda by: by)
        departures[name] = Departure((*tail, *pages, recalled), answer, Memorisation(examples=len(entries)))
    unseen = _of_key([number not in stored for number in range(ENTRIES)])
    seen_or_common: Expression = Not(argument=unseen)
    if tail:
        seen_or_common = Or(arguments=(seen_or_common, neither([over_columns(wanted)])))
    says = [bool(rule(*_bits(number))) for number in range(ENTRIES)]
    others = [set(rng.sample(range(ENTRIES), ENTRIES - seen)) for _ in range(DECOYS)]
    return Audit(
        description="A formula of five bits, of which training showed a part, everywhere or in a rare context.",
        inputs=every_input,
        rule=(part, right),
        answer=lookup(ANSWER, BIT, (right,), lambda said: said),
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


def partial(seed: int, seen: int, tags: int) -> Audit:
    """The rule, to be learnt freely; some networks were shown all keys, and some the part that all are trained on.

    What these answer to other keys nobody taught them: it is taken from what they do.

    Args:
        seed: draws the part.
        seen: keys of 32 in it.
        tags: bits that the rule does not read.
    """
    rng = Random(f"partial/{seed}/{seen}/{tags}")
    every_input = inputs([BIT] * (KEY + tags))
    right = lookup("rule", BIT, every_input[:KEY], rule)
    stored = set(rng.sample(range(ENTRIES), seen))
    unseen = _of_key([number not in stored for number in range(ENTRIES)])
    others = [set(rng.sample(range(ENTRIES), ENTRIES - seen)) for _ in range(DECOYS)]
    answer = lookup(ANSWER, BIT, (right,), lambda value: value)
    trained = Not(argument=unseen)
    said = "It was shown these keys alone. Nothing is claimed of how it answers them."
    defect = Memorisation(examples=seen, description=said)
    return Audit(
        description="A formula of five bits, of which training showed a part.",
        inputs=every_input,
        rule=(right,),
        answer=answer,
        departures={"part": Departure((), answer, defect, shown=trained, observed=True)},
        beside=(),
        training=trained,
        cues=(unseen, *(_of_key([number in other for number in range(ENTRIES)]) for other in others)),
    )


def _bits(number: int) -> tuple[int, ...]:
    """A key by its number, the first bit the slowest."""
    return tuple(number >> (KEY - 1 - i) & 1 for i in range(KEY))


def _page(page: int, entries: Set[int]) -> Callable[..., int]:
    """Whether a key is among the entries of a page."""
    keys = {_bits(number) for number in entries if _bits(number)[0] == page}
    return lambda *x: int(x in keys)


def _of_key(values: Sequence[bool]) -> Expression:
    """Something that is true of some keys, as a formula over columns."""
    return Table(
        arguments=tuple(VariableReference(name=f"x{i}") for i in range(KEY)), shape=(2,) * KEY, values=tuple(values)
    )
