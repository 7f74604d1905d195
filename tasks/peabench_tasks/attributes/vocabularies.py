"""The lexicon of each variant: what makes it hard is how words carry attributes and how often they are said."""

import math
from collections.abc import Sequence

from peabench.mechanism import (
    Category,
    Compare,
    Constant,
    Count,
    Expression,
    Or,
    Range,
    Select,
    Subtract,
    Table,
    Variable,
    VariableReference,
)
from peabench_tasks.attributes.lexicon import Atom, Attribute, Column, Lexicon

WORDS = "words"
DAYS = 7
CHILDREN = 3
"""Of each parent."""
BOTH = 2
"""How many times as often a word of a correlated pair carries both attributes as either alone."""
GROUPS = 4
"""Columns of mutually exclusive attributes; a thing has none or one of each."""
STRONG = 2
"""Strength of a loud word, next to the 1 of a plain one."""


def plain(attributes: int, length: int) -> Lexicon:
    """A word for each attribute, all equally often."""
    return _of_words([{f"a{i}": 1.0} for i in range(attributes)], length)


def zipf(attributes: int, length: int) -> Lexicon:
    """The word for attribute i is said 1 / (i + 1) times as often as the first."""
    shares = [1 / (i + 1) for i in range(attributes)]
    return _of_words([{f"a{i}": 1.0} for i in range(attributes)], length, shares)


def correlated(attributes: int, length: int) -> Lexicon:
    """Attributes in pairs; of the words that carry one of a pair, two in three carry the other as well."""
    words, shares = list[dict[str, float]](), list[float]()
    for i in range(0, attributes, 2):
        words += [{f"a{i}": 1.0, f"a{i + 1}": 1.0}, {f"a{i}": 1.0}, {f"a{i + 1}": 1.0}]
        shares += [BOTH, 1, 1]
    return _of_words(words, length, shares)


def hierarchy(attributes: int, length: int) -> Lexicon:
    """Every word for a child carries its parent as well; one word in four carries the parent alone."""
    words, parents = list[dict[str, float]](), dict[str, str]()
    for i in range(attributes // (CHILDREN + 1)):
        words.append({f"p{i}": 1.0})
        for j in range(CHILDREN):
            words.append({f"p{i}": 1.0, f"p{i}c{j}": 1.0})
            parents[f"p{i}c{j}"] = f"p{i}"
    return _of_words(words, length, parents=parents)


def signed(attributes: int, length: int) -> Lexicon:
    """Two words for each attribute, one of which carries it negated."""
    return _of_words([{f"a{i}": sign} for i in range(attributes) for sign in (1.0, -1.0)], length)


def exclusive(attributes: int, length: int) -> Lexicon:
    """Columns of their own hold one attribute out of a group, or none."""
    size = attributes // GROUPS
    columns, words, variables, found, atoms = list[Column](), list[dict[str, float]](), list[Variable](), [], []
    for i in range(GROUPS):
        columns.append(Column(len(words), size + 1))
        variables.append(Variable(name=f"kind{i}", kind=Category(values=size + 1), columns=(i,)))
        words.append({})
        for value in range(1, size + 1):
            there = _equals(f"kind{i}", value)
            words.append({f"kind{i}.{value}": 1.0})
            found.append(Attribute(f"kind{i}.{value}", f"kind{i}", there))
            atoms.append(Atom(f"kind{i}", _indicator(there)))
    return Lexicon(tuple(columns), tuple(words), tuple(variables), tuple(found), tuple(atoms))


def circle(attributes: int, length: int) -> Lexicon:
    """One column holds a day of the week, on a circle in a plane of its own, or none; the others plain words."""
    rest = plain(attributes - 2, length - 1)
    angles = [2 * math.pi * day / DAYS for day in range(DAYS)]
    circles = {"day.cos": [math.cos(angle) for angle in angles], "day.sin": [math.sin(angle) for angle in angles]}
    first = len(rest.words)
    days = [{}, *({name: values[day] for name, values in circles.items()} for day in range(DAYS))]
    return Lexicon(
        columns=(*rest.columns, Column(first, DAYS + 1)),
        words=(*rest.words, *days),
        variables=(
            rest.variables[0],
            Variable(name="day", kind=Category(values=DAYS + 1), columns=(length - 1,)),
            *rest.variables[1:],
        ),
        attributes=(
            *rest.attributes,
            *(Attribute(name, "day", _looked_up("day", [0.0, *v]), (), "day") for name, v in circles.items()),
        ),
        atoms=(*rest.atoms, *(Atom("day", _indicator(_equals("day", day + 1))) for day in range(DAYS))),
    )


def magnitude(attributes: int, length: int) -> Lexicon:
    """One column holds words that are said plainly or loudly: loudness is a length along the word's own direction."""
    loud = attributes // 6
    rest = plain(attributes - 2 * loud, length - 1)
    words, found, atoms, variables = list(rest.words), list(rest.attributes), list(rest.atoms), list[Variable]()
    column = Column(len(words), 2 * loud + 1)
    words.append({})
    variables.append(Variable(name="said", kind=Category(values=2 * loud + 1), columns=(length - 1,)))
    for i in range(loud):
        said = f"said{i}"
        words += [{said: 1.0}, {said: 1.0, f"{said}.loud": 1.0}]
        how = Select(
            condition=_equals("said", 2 * i + 2),
            then=Constant(value=STRONG),
            otherwise=_indicator(_equals("said", 2 * i + 1)),
        )
        variables.append(Variable(name=said, kind=Range(low=0, high=STRONG), parents=("said",), function=how))
        plainly, loudly = (
            Compare(relation="ge", left=VariableReference(name=said), right=Constant(value=level))
            for level in (1, STRONG)
        )
        found.append(Attribute(said, said, plainly))
        found.append(Attribute(f"{said}.loud", said, loudly, (said,), shares_direction_of=said))
        atoms += [Atom(said, _indicator(plainly)), Atom(said, _indicator(loudly))]
    return Lexicon(
        columns=(*rest.columns, column),
        words=tuple(words),
        variables=(rest.variables[0], variables[0], *rest.variables[1:], *variables[1:]),
        attributes=tuple(found),
        atoms=tuple(atoms),
    )


def decoy(attributes: int, length: int) -> Lexicon:
    """One column holds words that no query asks about, of a quarter of the attributes."""
    unused = attributes // 4
    rest = plain(attributes - unused, length - 1)
    decoys = [f"decoy{i}" for i in range(unused)]
    return Lexicon(
        columns=(*rest.columns, Column(len(rest.words), unused)),
        words=(*rest.words, *({name: 1.0} for name in decoys)),
        variables=(
            rest.variables[0],
            Variable(name="unasked", kind=Category(values=unused), columns=(length - 1,)),
            *rest.variables[1:],
        ),
        attributes=(
            *rest.attributes,
            *(Attribute(name, "unasked", _equals("unasked", i)) for i, name in enumerate(decoys)),
        ),
        atoms=rest.atoms,
    )


def _of_words(
    words: Sequence[dict[str, float]],
    length: int,
    shares: Sequence[float] | None = None,
    parents: dict[str, str] | None = None,
) -> Lexicon:
    """So many columns of the same words; each attribute fires as often as words that carry it are there."""
    said = [] if shares is None else [share / sum(shares) for share in shares]
    above = parents or {}
    spoken = Variable(name=WORDS, kind=Category(values=len(words), length=length), columns=tuple(range(length)))
    variables, attributes, atoms = [spoken], list[Attribute](), list[Atom]()
    for name in dict.fromkeys(name for word in words for name in word):
        plus, minus = ([i for i, word in enumerate(words) if word.get(name) == sign] for sign in (1.0, -1.0))
        counted = _counted(plus)
        if minus:
            counted = Subtract(left=counted, right=_counted(minus))
        kind = Range(low=-length if minus else 0, high=length)
        variables.append(Variable(name=name, kind=kind, parents=(WORDS,), function=counted))
        value = VariableReference(name=name)
        attributes.append(Attribute(name, name, value, (above[name],) if name in above else ()))
        atoms.append(Atom(name, value))
    columns = (Column(0, len(words), tuple(said) or None),) * length
    return Lexicon(columns, tuple(words), tuple(variables), tuple(attributes), tuple(atoms))


def _counted(rows: Sequence[int]) -> Expression:
    """How many of the words are one of these."""
    same = tuple(_equals(WORDS, row) for row in rows)
    return Count(sequence=same[0] if len(same) == 1 else Or(arguments=same))


def _equals(name: str, value: int) -> Expression:
    return Compare(relation="eq", left=VariableReference(name=name), right=Constant(value=value))


def _indicator(condition: Expression) -> Expression:
    return Select(condition=condition, then=Constant(value=1), otherwise=Constant(value=0))


def _looked_up(name: str, values: Sequence[float]) -> Expression:
    return Table(arguments=(VariableReference(name=name),), shape=(len(values),), values=tuple(values))
