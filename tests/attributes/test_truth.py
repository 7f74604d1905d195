"""What each variant's causal model says, against a few plain lines of Python over the words of an input."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch

from peabench.mechanism import evaluate
from peabench_tasks.attributes.mechanism import causal_model
from peabench_tasks.attributes.queries import OPERATIONS, Query, draw_queries
from peabench_tasks.attributes.specifications import VARIANTS, Specification, specifications
from peabench_tasks.attributes.states import States

SMALL = [s for s in specifications() if s.size == "xs" and s.seed == 0]


def plain(x: list[int]) -> Counter[int]:
    return Counter(x)


def correlated(x: list[int]) -> Counter[int]:
    """Words come in threes: both of a pair, the first, the second."""
    there = Counter[int]()
    for word in x:
        pair, which = divmod(word, 3)
        there.update([2 * pair + i for i in (0, 1) if which in (0, i + 1)])
    return there


def hierarchy(x: list[int]) -> Counter[int]:
    """Words come in fours: a parent, then its children, which carry it too."""
    there = Counter[int]()
    for word in x:
        there.update({word, word - word % 4})
    return there


def signed(x: list[int]) -> Counter[int]:
    there = Counter[int]()
    for word in x:
        there[word // 2] += -1 if word % 2 else 1
    return there


def exclusive(x: list[int]) -> Counter[int]:
    return Counter([6 * column + value - 1 for column, value in enumerate(x) if value])


def circle(x: list[int]) -> Counter[int]:
    *words, day = x
    return Counter([*words, *([22 + day - 1] if day else [])])


def magnitude(x: list[int]) -> Counter[int]:
    *words, last = x
    there, said = Counter(words), (last + 1) // 2
    if said:
        there.update([16 + 2 * (said - 1) + i for i in range(2 if last % 2 == 0 else 1)])
    return there


def decoy(x: list[int]) -> Counter[int]:
    return Counter(x[:-1])


PLAIN: dict[str, Callable[[list[int]], Counter[int]]] = {
    "plain": plain,
    "zipf": plain,
    "correlated": correlated,
    "hierarchy": hierarchy,
    "exclusive": exclusive,
    "signed": signed,
    "circle": circle,
    "magnitude": magnitude,
    "decoy": decoy,
}


def answer(query: Query, there: Counter[int]) -> bool:
    group, other = (sum(there[atom] for atom in atoms) for atoms in (query.group, query.other))
    return {"any": group >= 1, "both": group >= 1 and other >= 1, "more": group > other}[query.operation]


def test_every_variant_is_tested() -> None:
    assert set(PLAIN) == set(VARIANTS)


@pytest.mark.parametrize("specification", SMALL, ids=lambda s: s.variant)
def test_answers_are_those_of_plain_python(specification: Specification) -> None:
    lexicon, queries = specification.lexicon(), specification.queries(0)
    model = causal_model(lexicon, queries)
    rows = lexicon.domain(len(queries)).sample(400, torch.Generator().manual_seed(0))
    got = model.run(model.read_inputs(rows))[model.output]
    want = [answer(queries[row[-1]], PLAIN[specification.variant](row[:-1])) for row in rows.tolist()]
    assert got.tolist() == want
    assert 0.05 < sum(want) / len(want) < 0.8


@pytest.mark.parametrize("specification", SMALL, ids=lambda s: s.variant)
def test_words_carry_what_attributes_fire(specification: Specification) -> None:
    """The amounts that words add up to are the activations, as the causal model has them."""
    lexicon, queries = specification.lexicon(), specification.queries(0)
    model = causal_model(lexicon, queries)
    rows = lexicon.domain(len(queries)).sample(200, torch.Generator().manual_seed(1))
    values = model.run(model.read_inputs(rows))
    for attribute in lexicon.attributes:
        fired = evaluate(attribute.activation, values, model.kinds).double()
        carried = torch.zeros(len(rows), dtype=torch.float64)
        for column, about in enumerate(lexicon.columns):
            amounts = torch.tensor([word.get(attribute.name, 0.0) for word in lexicon.words], dtype=torch.float64)
            carried += amounts[about.first + rows[:, column]]
        torch.testing.assert_close(fired, carried)


@pytest.mark.parametrize("specification", SMALL, ids=lambda s: s.variant)
def test_states_say_what_the_causal_model_says(specification: Specification) -> None:
    """Levels drawn and moved for training mean to the causal model what they are taken for."""
    lexicon, queries = specification.lexicon(), specification.queries(0)
    model, generator = causal_model(lexicon, queries), torch.Generator().manual_seed(2)
    states = States.of(lexicon, queries, generator)
    levels, query = states.draw(300, generator)
    features, answers = states.features(levels), states.answers(levels, query)
    lowest = {v.name: getattr(v.kind, "low", 0) for v in model.variables}
    settings = {name: levels[:, i] + lowest[name] for i, name in enumerate(lexicon.carriers)}
    inputs = model.read_inputs(lexicon.domain(len(queries)).sample(1, generator).expand(300, -1))
    values = model.run(inputs, {**settings, "query": query})
    assert values[model.output].tolist() == answers.tolist()
    for i, attribute in enumerate(lexicon.attributes):
        fired = evaluate(attribute.activation, values, model.kinds).float().expand(300)
        torch.testing.assert_close(fired, features[:, i])


def test_half_of_the_queries_are_about_the_variable_that_was_set() -> None:
    """And the others are about any: of those about it, each is as likely as another."""
    specification = next(s for s in SMALL if s.variant == "plain")
    generator = torch.Generator().manual_seed(7)
    states = States.of(specification.lexicon(), specification.queries(0), generator)
    _, query = states.draw(40_000, generator)
    asked, about = query.bincount(minlength=8).double(), states.about.double()
    expected = 0.5 / 8 + 0.5 * (about / about.sum(0)).mean(1)
    torch.testing.assert_close(asked / asked.sum(), expected, atol=0.01, rtol=0)


def test_every_atom_is_asked_about_and_no_two_alike() -> None:
    queries = draw_queries(8, 24, 4, seed=5)
    assert [query.operation for query in queries[:3]] == list(OPERATIONS)
    roles = [tuple((atom in q.group, atom in q.other) for q in queries) for atom in range(24)]
    assert len(set(roles)) == 24
    assert all(any(a or b for a, b in role) for role in roles)
    assert not any(set(q.group) & set(q.other) for q in queries)


def test_children_fire_only_with_their_parents() -> None:
    specification = next(s for s in SMALL if s.variant == "hierarchy")
    lexicon, queries = specification.lexicon(), specification.queries(0)
    model = causal_model(lexicon, queries)
    rows = lexicon.domain(len(queries)).sample(500, torch.Generator().manual_seed(3))
    values = model.run(model.read_inputs(rows))
    children = [attribute for attribute in lexicon.attributes if attribute.parents]
    assert len(children) == 18
    for child in children:
        assert bool((values[child.name] <= values[child.parents[0]]).all())


def test_loudness_shares_a_direction_and_decoys_are_never_asked_about() -> None:
    magnitude_words = next(s for s in SMALL if s.variant == "magnitude").lexicon()
    assert {a.name: a.shares_direction_of for a in magnitude_words.attributes if a.shares_direction_of} == {
        f"said{i}.loud": f"said{i}" for i in range(4)
    }
    decoys = next(s for s in SMALL if s.variant == "decoy")
    model = causal_model(decoys.lexicon(), decoys.queries(0))
    assert all("unasked" not in variable.parents for variable in model.variables)
    assert sum(a.name.startswith("decoy") for a in decoys.lexicon().attributes) == 6


def test_common_words_are_said_more_often_where_frequencies_are_zipfian() -> None:
    lexicon = next(s for s in SMALL if s.variant == "zipf").lexicon()
    rows = lexicon.domain(8).sample(20_000, torch.Generator().manual_seed(4))
    first, second, tenth = ((rows[:, :-1] == word).float().mean().item() for word in (0, 1, 9))
    assert first / second == pytest.approx(2, rel=0.1)
    assert first / tenth == pytest.approx(10, rel=0.2)


def test_only_decoys_are_trained_to_fire_anywhere() -> None:
    specification = next(s for s in SMALL if s.variant == "decoy")
    generator = torch.Generator().manual_seed(6)
    lexicon = specification.lexicon()
    states = States.of(lexicon, specification.queries(0), generator)
    features = states.features(states.draw(2000, generator)[0])
    changed = states.loosened(features, generator)
    decoys = torch.tensor([attribute.name.startswith("decoy") for attribute in lexicon.attributes])
    assert torch.equal(changed[..., ~decoys], features[..., ~decoys])
    assert set(features[:, decoys].sum(1).unique().tolist()) == {1.0}
    assert {0.0, 1.0, 2.0} < set(changed[:, decoys].sum(1).unique().tolist())
