"""Ways to answer a question and its reverse, as causal models of one behaviour.

Forwards a question asks who is the teacher of x, backwards whose teacher is y. Every relation pairs all names with all
names and has its converse among the relations, as teachers have pupils.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random

from peabench.mechanism import Boolean, Category, CausalModel, Variable
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.lookup import lookup

NAMES, RELATIONS = 8, 8
ANSWER = "answer"
SIDE = Variable(name="side", kind=Category(values=2), columns=(0,))
RELATION = Variable(name="relation", kind=Category(values=RELATIONS), columns=(1,))
NAME = Variable(name="name", kind=Category(values=NAMES), columns=(2,))
TOKENS = (SIDE, RELATION, NAME)
PERSON = Category(values=NAMES)
NOTHING = NAMES
"""What a variable says that has nothing to say, after the names."""
OR_NOTHING = Category(values=NOTHING + 1)


@dataclass(frozen=True)
class Facts:
    """Who is whose."""

    partners: tuple[tuple[int, ...], ...]
    """Of each relation, whom each name is paired with; relations 2 i and 2 i + 1 are each other's converse."""
    known: Mapping[str, Collection[int]]
    """By name, sets of relations that may be known by heart: two couples of converses that are neighbours in a ring of
    four. None of them is between the others."""

    @classmethod
    def drawn(cls, seed: int) -> "Facts":
        """Facts of a task."""
        rng = Random(f"facts/reversal/{seed}")
        partners = list[tuple[int, ...]]()
        for _ in range(RELATIONS // 2):
            pairing = rng.sample(range(NAMES), NAMES)
            partners += [tuple(pairing), tuple(pairing.index(name) for name in range(NAMES))]
        couples = [(2 * i, 2 * i + 1) for i in rng.sample(range(RELATIONS // 2), RELATIONS // 2)]
        return cls(tuple(partners), {f"known-{i + 1}": couples[i] + couples[i - 1] for i in range(len(couples))})

    def forwards(self, relation: int, name: int) -> int:
        """Who is the relation's of a name."""
        return self.partners[relation][name]

    def backwards(self, relation: int, name: int) -> int:
        """Whose relation's a name is."""
        return self.partners[relation ^ 1][name]

    def answer(self, side: int, relation: int, name: int) -> int:
        """To a question."""
        return self.backwards(relation, name) if side else self.forwards(relation, name)

    def subject(self, side: int, relation: int, name: int) -> int:
        """The one of the pair that forward questions name."""
        return self.backwards(relation, name) if side else name

    def object(self, side: int, relation: int, name: int) -> int:
        """The one of the pair that backward questions name."""
        return name if side else self.forwards(relation, name)

    def from_subject(self, subject: int, side: int, relation: int) -> int:
        """The answer of a pair."""
        return subject if side else self.forwards(relation, subject)

    def from_object(self, object_: int, side: int, relation: int) -> int:
        """The answer of a pair."""
        return self.backwards(relation, object_) if side else object_


def algorithms(facts: Facts) -> tuple[Algorithm, ...]:
    """All ways."""
    return (
        *identities(facts),
        *in_parts(facts),
        *tables(facts),
        *words(facts),
        *(by_heart(facts, name, known) for name, known in facts.known.items()),
    )


def model(*computed: Variable) -> CausalModel:
    """A causal model of the answer, which is the last variable."""
    return CausalModel(variables=(*TOKENS, *computed), output=ANSWER)


def answered(parents: tuple[Variable, ...], function: Callable[..., int]) -> Variable:
    """The answer."""
    return lookup(ANSWER, PERSON, parents, function)


def identities(facts: Facts) -> tuple[Algorithm, ...]:
    """One of the pair is found whichever way the question is asked, and the answer follows from it."""
    subject = lookup("subject", PERSON, TOKENS, facts.subject)
    of_object = lookup("object", PERSON, TOKENS, facts.object)
    return (
        Algorithm(
            "subject", "the pair's subject", model(subject, answered((subject, SIDE, RELATION), facts.from_subject))
        ),
        Algorithm(
            "object", "the pair's object", model(of_object, answered((of_object, SIDE, RELATION), facts.from_object))
        ),
    )


def in_parts(facts: Facts) -> tuple[Algorithm, ...]:
    """The same, where it is two variables."""
    found = []
    for name, meant, answer in (
        ("subject", facts.subject, facts.from_subject),
        ("object", facts.object, facts.from_object),
    ):
        couple = lookup(f"{name}_couple", Category(values=NAMES // 2), TOKENS, _half(meant))
        member = lookup(f"{name}_member", Boolean(), TOKENS, _bit(meant))
        said = answered((couple, member, SIDE, RELATION), _joined(answer))
        found.append(Algorithm(f"{name}-parts", f"the pair's {name} as two parts", model(couple, member, said)))
    return tuple(found)


def tables(facts: Facts) -> tuple[Algorithm, ...]:
    """Forward and backward questions are answered from tables of their own."""
    forwards = lookup("forwards", OR_NOTHING, TOKENS, lambda d, r, n: NOTHING if d else facts.forwards(r, n))
    backwards = lookup("backwards", OR_NOTHING, TOKENS, lambda d, r, n: facts.backwards(r, n) if d else NOTHING)
    as_forwards = lookup("as_forwards", PERSON, (RELATION, NAME), facts.forwards)
    as_backwards = lookup("as_backwards", PERSON, (RELATION, NAME), facts.backwards)
    turned = lookup("turned", PERSON, TOKENS, lambda d, r, n: (facts.answer(d, r, n) - facts.forwards(r, n)) % NAMES)
    unturned = lookup(
        "unturned", PERSON, TOKENS, lambda d, r, n: (facts.answer(d, r, n) - facts.backwards(r, n)) % NAMES
    )
    either = answered((forwards, backwards), lambda f, b: f if f != NOTHING else b if b != NOTHING else 0)
    chosen = answered((as_forwards, as_backwards, SIDE), lambda f, b, d: b if d else f)
    return (
        Algorithm("separate", "a table for either direction, silent in the other", model(forwards, backwards, either)),
        Algorithm("both", "both answers, of which one is taken", model(as_forwards, as_backwards, chosen)),
        Algorithm(
            "forwards-corrected",
            "the forward answer, corrected",
            model(as_forwards, turned, added(as_forwards, turned)),
        ),
        Algorithm(
            "backwards-corrected",
            "the backward answer, corrected",
            model(as_backwards, unturned, added(as_backwards, unturned)),
        ),
    )


def words(facts: Facts) -> tuple[Algorithm, ...]:
    """The direction is read with one of the other words first."""
    converse = lookup("converse", Category(values=RELATIONS), (SIDE, RELATION), lambda d, r: r ^ d)
    row = lookup("row", Category(values=2 * NAMES), (SIDE, NAME), lambda d, n: NAMES * d + n)
    of_row = answered((row, RELATION), lambda w, r: facts.answer(w // NAMES, r, w % NAMES))
    return (
        Algorithm(
            "converse",
            "a backward question is a forward one of the converse",
            model(converse, answered((converse, NAME), facts.forwards)),
        ),
        Algorithm("rows", "all answers about a name; the relation picks", model(row, of_row)),
    )


def by_heart(facts: Facts, name: str, known: Collection[int]) -> Algorithm:
    """The pair's subject where relations are not known by heart, and a table of those that are."""
    subject = lookup(
        f"subject_but_{name}".replace("-", "_"),
        OR_NOTHING,
        TOKENS,
        lambda d, r, n: NOTHING if r in known else facts.subject(d, r, n),
    )
    memory = lookup(
        f"memory_of_{name}".replace("-", "_"),
        OR_NOTHING,
        TOKENS,
        lambda d, r, n: facts.answer(d, r, n) if r in known else NOTHING,
    )

    def said(subject: int, memory: int, side: int, relation: int) -> int:
        if memory != NOTHING:
            return memory
        return 0 if subject == NOTHING else facts.from_subject(subject, side, relation)

    answer = answered((subject, memory, SIDE, RELATION), said)
    return Algorithm(f"{name}-by-heart", f"the pair's subject, but for {name}: a table", model(subject, memory, answer))


def added(one: Variable, other: Variable) -> Variable:
    """The answer as a guess and what is to be added."""
    return answered((one, other), lambda guess, more: (guess + more) % NAMES)


def _half(meant: Callable[[int, int, int], int]) -> Callable[[int, int, int], int]:
    return lambda side, relation, name: meant(side, relation, name) // 2


def _bit(meant: Callable[[int, int, int], int]) -> Callable[[int, int, int], int]:
    return lambda side, relation, name: meant(side, relation, name) % 2


def _joined(answer: Callable[[int, int, int], int]) -> Callable[[int, int, int, int], int]:
    return lambda couple, member, side, relation: answer(2 * couple + member, side, relation)
