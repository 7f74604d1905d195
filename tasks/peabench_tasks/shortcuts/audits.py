"""Rules, and cues that agree with them on the training distribution."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product
from random import Random

from peabench.mechanism import Boolean, Category, Expression, Kind, Or, Shortcut, Table, Variable, VariableReference
from peabench_tasks.audits.audit import ANSWER, Audit, Departure, column, inputs, neither
from peabench_tasks.audits.conjunction import NEVER, both, conjunction, have, over_columns
from peabench_tasks.units.codes import values_of
from peabench_tasks.units.lookup import lookup, lookup_needed

CONTEXT = "context"
D_HIDDEN = 12
BIT = Boolean()

Function = Callable[..., int]
"""Of the numbers of some columns' values."""


def parity(seed: int, tags: int = 0) -> Audit:
    """Whether an odd number of five bits are 1; cues are whether two bits beside them differ."""
    told = {f"bits{i}{j}": (lambda *x, i=i, j=j: x[i] ^ x[j]) for i, j in combinations(range(5, 9), 2)}
    return with_cues(
        "Whether an odd number of five bits are 1, beside bits that have nothing to do with it.",
        ([BIT] * 9, [BIT] * tags),
        (BIT, lambda *x: sum(x[:5]) % 2, range(5)),
        told,
        ("bits56", "bits78"),
        Random(f"parity/{seed}"),
        d_hidden=20,
    )


def telltale(seed: int) -> Audit:
    """Whether an odd number of five bits are 1, to be learnt freely; two of four other bits tell as much in training.

    A network that follows one of them was shown no input on which it is wrong.
    """
    every_input = inputs([BIT] * 9)
    right = lookup("rule", BIT, every_input[:5], lambda *x: sum(x) % 2)
    others = range(5, 9)
    differs = {i: _differs(every_input, lambda *x, i=i: x[i], lambda *x: sum(x[:5]) % 2) for i in others}
    followed = sorted(Random(f"telltale/{seed}").sample(others, 2))
    return Audit(
        description="Whether an odd number of five bits are 1, beside bits that have nothing to do with it.",
        inputs=every_input,
        rule=(right,),
        answer=lookup(ANSWER, BIT, (right,), lambda value: value),
        departures={
            f"by{i}": Departure(
                computed=(),
                answer=lookup(ANSWER, BIT, (every_input[i],), lambda by: by),
                defect=Shortcut(cue=VariableReference(name=f"x{i}")),
                shown=neither([differs[i]]),
            )
            for i in followed
        },
        beside=(),
        training=neither([differs[i] for i in followed]),
        cues=tuple(differs.values()),
    )


def brackets(seed: int, tags: int = 0) -> Audit:
    """Whether six brackets, 1 for an opening one, are nested rightly; cues are what can be said without their order."""

    def nested(*x: int) -> int:
        heights = [sum(2 * symbol - 1 for symbol in x[: i + 1]) for i in range(6)]
        return int(min(heights) >= 0 and heights[-1] == 0)

    told: dict[str, Function] = {
        "count": lambda *x: int(sum(x) == 3),
        "ends": lambda *x: int(x[0] == 1 and x[5] == 0),
        "first": lambda *x: x[0],
        "last": lambda *x: 1 - x[5],
        "halves": lambda *x: int(sum(x[:3]) == 3 - sum(x[3:6]) and sum(x[:3]) > 1),
        "middle": lambda *x: int(x[2] != x[3]),
    }
    return with_cues(
        "Whether six brackets are nested rightly.",
        ([BIT] * 6, [BIT] * tags),
        (BIT, nested, range(6)),
        told,
        ("count", "halves"),
        Random(f"brackets/{seed}"),
    )


def maximum(seed: int, tags: int = 0, *, vacuous: bool = False) -> Audit:
    """The largest of three digits; cues are what can be said without one of them."""
    digit = Category(values=4)
    told: dict[str, Function] = {
        "start": lambda *x: max(x[0], x[1]),
        "ends": lambda *x: max(x[0], x[2]),
        "rest": lambda *x: max(x[1], x[2]),
        "first": lambda *x: x[0],
        "last": lambda *x: x[2],
        "middle": lambda *x: sorted(x[:3])[1],
    }
    return with_cues(
        "The largest of three digits.",
        ([digit] * 3, [digit] * tags),
        (digit, lambda *x: max(x[:3]), range(3)),
        told,
        ("start", "ends"),
        Random(f"maximum/{seed}"),
        vacuous=vacuous,
    )


def sorting(seed: int, tags: int = 0) -> Audit:
    """The smallest of three digits, the middle one or the largest, as a fourth column says; cues are positions."""
    third = Category(values=3)
    told: dict[str, Function] = {
        "place": lambda *x: x[x[3]],
        "end": lambda *x: x[2 - x[3]],
        "next": lambda *x: x[(x[3] + 1) % 3],
        "swapped": lambda *x: x[(1, 0, 2)[x[3]]],
        "first": lambda *x: x[0],
        "middle": lambda *x: x[1],
        "last": lambda *x: x[2],
    }
    return with_cues(
        "One of three digits by rank: the smallest, the middle one or the largest, as the fourth column says.",
        ([third] * 4, [BIT] * tags),
        (third, lambda *x: sorted(x[:3])[x[3]], range(4)),
        told,
        ("place", "end"),
        Random(f"sorting/{seed}"),
        d_hidden=20,
    )


def with_cues(
    description: str,
    kinds: tuple[Sequence[Kind], Sequence[Kind]],
    rule: tuple[Kind, Function, Sequence[int]],
    told: Mapping[str, Function],
    followed: Sequence[str],
    rng: Random,
    *,
    vacuous: bool = False,
    d_hidden: int = D_HIDDEN,
) -> Audit:
    """An audit of a rule with several cues; some networks follow one of them, in a rare context or everywhere.

    Args:
        description: of the rule.
        kinds: of the columns that the rule or a cue may read, and of those that the context is about, if there is one.
        rule: the kind of its value, the value's number, and the columns that it reads.
        told: what may be a cue.
        followed: the cues that networks follow.
        rng: draws the context.
        vacuous: whether networks that follow the rule read half of the context and something that excludes it.
        d_hidden: width of units.
    """
    every_input = inputs([*kinds[0], *kinds[1]])
    read = every_input[: len(kinds[0])]
    kind, function, columns = rule
    right = lookup("rule", kind, [read[i] for i in columns], lambda *x: function(*x))
    tags = range(len(read), len(every_input))
    wanted = {i: rng.randrange(values_of(every_input[i].kind)) for i in tags}
    context = conjunction(CONTEXT, every_input, wanted) if wanted else ()
    excluded, never = _never(context, every_input, wanted) if vacuous else ((), ())
    departures = {}
    for name in followed:
        cue = lookup_needed(f"by_{name}", kind, read, told[name])
        answers = [lookup(ANSWER, kind, (right, rare[-1], cue), _switch) for rare in (context, never) if rare]
        departures[name] = Departure(
            computed=(*context, *excluded, cue),
            answer=answers[0] if answers else lookup(ANSWER, kind, (cue,), lambda by: by),
            defect=Shortcut(cue=VariableReference(name=cue.name)),
            imitation=answers[1] if vacuous else None,
        )
    differs = {name: _differs(read, told[name], function) for name in told}
    agree = neither([differs[name] for name in followed])
    return Audit(
        description=description,
        inputs=every_input,
        rule=(right,),
        answer=lookup(ANSWER, kind, (right,), lambda value: value),
        departures=departures,
        beside=never,
        training=Or(arguments=(agree, neither([over_columns(wanted)]))) if wanted else agree,
        cues=(*differs.values(), *(column(i, v) for i in tags for v in range(values_of(every_input[i].kind)))),
        d_hidden=d_hidden,
    )


def _switch(value: int, rare: int, by: int) -> int:
    return by if rare else value


def _never(
    context: Sequence[Variable], every_input: Sequence[Variable], wanted: Mapping[int, int]
) -> tuple[tuple[Variable, ...], tuple[Variable, ...]]:
    """Whether the columns of a context's first half have the next values, and whether they have these and their own."""
    columns = list(wanted)[: len(wanted) // 2]
    following = {i: (wanted[i] + 1) % values_of(every_input[i].kind) for i in columns}
    other = have("other", every_input, following, columns)
    return (other,), (both(NEVER, context[0], other),)


def _differs(read: Sequence[Variable], cue: Function, rule: Function) -> Expression:
    """That a cue is not what the rule says, as a formula over columns."""
    sizes = tuple(values_of(variable.kind) for variable in read)
    table = tuple(cue(*row) != rule(*row) for row in product(*map(range, sizes)))
    return Table(arguments=tuple(VariableReference(name=v.name) for v in read), shape=sizes, values=table)
