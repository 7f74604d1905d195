"""Ways to answer a question of two hops, as causal models of one behaviour.

A question names an entity and two relations: what does the second relation say of that to which the first one leads?
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random

from peabench.mechanism import Boolean, Category, CausalModel, Variable
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

ENTITIES, RELATIONS, BRIDGES, ANSWERS = 16, 3, 6, 6
CLASSES = 3
ANSWER = "answer"
ENTITY = Variable(name="entity", kind=Category(values=ENTITIES), columns=(0,))
FIRST = Variable(name="first", kind=Category(values=RELATIONS), columns=(1,))
SECOND = Variable(name="second", kind=Category(values=RELATIONS), columns=(2,))
BRIDGE, OUTPUT = Category(values=BRIDGES), Category(values=ANSWERS)
NOTHING = 6
"""What a variable says that has nothing to say, after its six values."""
OR_NOTHING = Category(values=NOTHING + 1)


@dataclass(frozen=True)
class Facts:
    """What each relation says of whom."""

    bridges: tuple[tuple[int, ...], ...]
    """Where each first relation leads from each entity: to all bridges about equally often."""
    answers: tuple[tuple[int, ...], ...]
    """What each second relation says of each bridge, of each another."""
    known: Mapping[str, Collection[int]]
    """By name, sets of entities that may be known by heart: four that are in all of them, and two neighbours in a
    ring of five. None of them is between the others."""

    @classmethod
    def drawn(cls, seed: int) -> "Facts":
        """Facts of a task."""
        rng = Random(f"facts/two_hop/{seed}")
        bridges = tuple(tuple(rng.sample([i % BRIDGES for i in range(ENTITIES)], ENTITIES)) for _ in range(RELATIONS))
        answers = tuple(tuple(rng.sample(range(ANSWERS), ANSWERS)) for _ in range(RELATIONS))
        entities = rng.sample(range(ENTITIES), 9)
        always, ring = entities[:4], entities[4:]
        return cls(bridges, answers, {f"known-{i + 1}": (*always, ring[i], ring[i - 1]) for i in range(5)})

    def bridge(self, entity: int, first: int) -> int:
        """Where the first hop leads."""
        return self.bridges[first][entity]

    def answer(self, entity: int, first: int, second: int) -> int:
        """Where both lead."""
        return self.answers[second][self.bridge(entity, first)]


def algorithms(facts: Facts) -> tuple[Algorithm, ...]:
    """All ways."""
    relations = {f"relation-{k + 1}": _is(k) for k in range(RELATIONS)}
    entities = {name: _among(some) for name, some in facts.known.items()}
    return (
        *orders(facts),
        in_parts(facts),
        *corrections(facts),
        *(by_heart(facts, name, known) for name, known in {**relations, **entities}.items()),
    )


def model(*computed: Variable) -> CausalModel:
    """A causal model of the answer, which is the last variable."""
    return CausalModel(variables=(ENTITY, FIRST, SECOND, *computed), output=ANSWER)


def orders(facts: Facts) -> tuple[Algorithm, ...]:
    """Which two of the three words are read first."""
    rows = sorted({_row(facts, entity, second) for entity in range(ENTITIES) for second in range(RELATIONS)})
    bridge = lookup("bridge", BRIDGE, (ENTITY, FIRST), facts.bridge)
    composed = lookup("composed", Category(values=RELATIONS**2), (FIRST, SECOND), lambda r, s: RELATIONS * r + s)
    row = lookup("row", Category(values=len(rows)), (ENTITY, SECOND), lambda e, s: rows.index(_row(facts, e, s)))
    of_bridge = lookup(ANSWER, OUTPUT, (bridge, SECOND), lambda b, s: facts.answers[s][b])
    of_both = lookup(ANSWER, OUTPUT, (ENTITY, composed), lambda e, c: facts.answer(e, c // RELATIONS, c % RELATIONS))
    of_row = lookup(ANSWER, OUTPUT, (row, FIRST), lambda w, r: rows[w][r])
    return (
        Algorithm("bridge", "the bridge entity, then what the second relation says of it", model(bridge, of_bridge)),
        Algorithm("composed", "both relations in one, then what that says of the entity", model(composed, of_both)),
        Algorithm("rows", "all that the second relation may say; the first one picks", model(row, of_row)),
    )


def in_parts(facts: Facts) -> Algorithm:
    """The bridge as two variables."""
    part = lookup("class", Category(values=CLASSES), (ENTITY, FIRST), lambda e, r: facts.bridge(e, r) % CLASSES)
    member = lookup("member", Boolean(), (ENTITY, FIRST), lambda e, r: facts.bridge(e, r) // CLASSES)
    answer = lookup(ANSWER, OUTPUT, (part, member, SECOND), lambda c, m, s: facts.answers[s][c + CLASSES * m])
    return Algorithm("parts", "the bridge's class and which of its class it is", model(part, member, answer))


def corrections(facts: Facts) -> tuple[Algorithm, ...]:
    """The answer as if one relation were the first of its kind, and what is to be added."""
    ways = (
        (
            "first-corrected",
            (ENTITY, SECOND),
            lambda e, s: facts.answer(e, 0, s),
            lambda e, r, s: facts.answer(e, 0, s),
        ),
        (
            "second-corrected",
            (ENTITY, FIRST),
            lambda e, r: facts.answer(e, r, 0),
            lambda e, r, s: facts.answer(e, r, 0),
        ),
    )
    found = []
    for name, reads, guessed, meant in ways:
        guess = lookup(f"guess_{name[:-10]}", OUTPUT, reads, guessed)
        correction = lookup(
            f"correction_{name[:-10]}",
            OUTPUT,
            (ENTITY, FIRST, SECOND),
            lambda e, r, s, meant=meant: (facts.answer(e, r, s) - meant(e, r, s)) % ANSWERS,
        )
        answer = lookup(ANSWER, OUTPUT, (guess, correction), lambda g, c: (g + c) % ANSWERS)
        found.append(
            Algorithm(
                name, f"a guess from {reads[0].name} and {reads[1].name}, corrected", model(guess, correction, answer)
            )
        )
    return tuple(found)


def by_heart(facts: Facts, name: str, known: Callable[[int, int], bool]) -> Algorithm:
    """The bridge where answers are not known by heart, and a table of those that are.

    Args:
        facts: that are asked about.
        name: of what is known by heart.
        known: whether it is, of an entity and a first relation.
    """
    bridge = lookup(
        f"bridge_but_{name}".replace("-", "_"),
        OR_NOTHING,
        (ENTITY, FIRST),
        lambda e, r: NOTHING if known(e, r) else facts.bridge(e, r),
    )
    memory = lookup(
        f"memory_of_{name}".replace("-", "_"),
        OR_NOTHING,
        (ENTITY, FIRST, SECOND),
        lambda e, r, s: facts.answer(e, r, s) if known(e, r) else NOTHING,
    )

    def said(bridge: int, memory: int, second: int) -> int:
        if memory != NOTHING:
            return memory
        return 0 if bridge == NOTHING else facts.answers[second][bridge]

    answer = lookup(ANSWER, OUTPUT, (bridge, memory, SECOND), said)
    return Algorithm(f"{name}-by-heart", f"the bridge, but for {name}: a table", model(bridge, memory, answer))


def _row(facts: Facts, entity: int, second: int) -> tuple[int, ...]:
    return tuple(facts.answer(entity, first, second) for first in range(RELATIONS))


def _is(relation: int) -> Callable[[int, int], bool]:
    return lambda entity, first: first == relation


def _among(some: Collection[int]) -> Callable[[int, int], bool]:
    return lambda entity, first: entity in some
