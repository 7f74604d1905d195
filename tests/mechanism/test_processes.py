"""Hidden Markov processes against sums over all paths of hidden states."""

from functools import cache
from itertools import product

import pytest
import torch
from believing_networks import PROCESS
from pydantic import ValidationError

from peabench.mechanism import HiddenMarkovProcess, MechanismError

LENGTH = 5
CLOUDY = HiddenMarkovProcess(  # two states, each of which shows its own token three times of four
    transitions=(((0.6, 0.05), (0.075, 0.2)), ((0.2, 0.15), (0.025, 0.7))), start=(0.2, 0.8)
)


@cache
def weights(process: HiddenMarkovProcess, tokens: tuple[int, ...]) -> list[float]:
    """How probable tokens and each last state are together, path by path."""
    found = [0.0] * process.n_states
    for path in product(range(process.n_states), repeat=len(tokens) + 1):
        weight = process.start[path[0]]
        for token, state, following in zip(tokens, path[:-1], path[1:], strict=True):
            weight *= process.transitions[token][state][following]
        found[path[-1]] += weight
    return found


@pytest.mark.parametrize("process", [PROCESS, CLOUDY])
def test_beliefs_are_what_bayes_says(process: HiddenMarkovProcess) -> None:
    tokens = torch.tensor(list(product((0, 1), repeat=LENGTH)))
    beliefs = process.beliefs(tokens)
    for row, some in zip(beliefs, tokens.tolist(), strict=True):
        for position in range(LENGTH):
            together = weights(process, tuple(some[: position + 1]))
            total = sum(together)
            expected = [weight / total if total else 0.0 for weight in together]
            assert row[position].tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("process", [PROCESS, CLOUDY])
def test_a_belief_goes_on_as_that_of_a_process_that_begins_with_it(process: HiddenMarkovProcess) -> None:
    beliefs = process.beliefs(process.words(2).tokens)[:, -1]
    tokens = torch.tensor(list(product((0, 1), repeat=3)))
    for belief in beliefs.unique(dim=0):
        begun = HiddenMarkovProcess(transitions=process.transitions, start=tuple(belief.tolist()))
        found = process.continued(belief.expand(len(tokens), -1), tokens)
        assert torch.equal(found[:, 0], belief.expand(len(tokens), -1))
        for row, some in zip(found, tokens.tolist(), strict=True):
            for step in range(1, 4):
                together = weights(begun, tuple(some[:step]))
                expected = [weight / sum(together) if sum(together) else 0.0 for weight in together]
                assert row[step].tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("process", [PROCESS, CLOUDY])
def test_the_next_token_follows_from_the_belief(process: HiddenMarkovProcess) -> None:
    tokens = process.words(LENGTH).tokens
    predicted = process.next_tokens(process.beliefs(tokens))
    for row, some in zip(predicted[:, -2], tokens.tolist(), strict=True):
        before = sum(weights(process, tuple(some[:-1])))
        expected = [sum(weights(process, (*some[:-1], token))) / before for token in (0, 1)]
        assert row.tolist() == pytest.approx(expected, abs=1e-12)


def test_words_are_the_sequences_that_can_occur_with_their_probabilities() -> None:
    words = PROCESS.words(LENGTH)
    expected = {
        tokens: sum(weights(PROCESS, tokens))
        for tokens in product((0, 1), repeat=LENGTH)
        if sum(weights(PROCESS, tokens)) > 0
    }
    assert [tuple(row) for row in words.tokens.tolist()] == list(expected)
    assert words.probability.tolist() == pytest.approx(list(expected.values()))
    assert 0 < len(expected) < 2**LENGTH


def test_samples_come_as_often_as_they_are_probable() -> None:
    words = PROCESS.words(LENGTH)
    drawn = PROCESS.sample(40_000, LENGTH, torch.Generator().manual_seed(0))
    number = {tuple(row): i for i, row in enumerate(words.tokens.tolist())}
    counts = torch.zeros(len(number), dtype=torch.float64)
    for row in drawn.tolist():
        counts[number[tuple(row)]] += 1  # a KeyError for what cannot occur
    spread = (words.probability * (1 - words.probability) / len(drawn)).sqrt()
    assert float(((counts / len(drawn) - words.probability) / spread).abs().max()) < 4.5


def test_what_cannot_occur_leaves_no_belief() -> None:
    impossible = torch.tensor([[0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1]])
    assert PROCESS.words(15).tokens.eq(impossible).all(1).sum() == 0
    assert PROCESS.beliefs(impossible)[0, -1].sum() == 0


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"transitions": (((0.5,),), ((0.4,),)), "start": (1.0,)}, "sum to 1 from state 0, got 0.9"),
        ({"transitions": (((0.5,),), ((0.5,),)), "start": (0.5,)}, "expected probabilities that sum to 1, got 0.5"),
        ({"transitions": (((0.5, 0.5),), ((0.5,),)), "start": (1.0,)}, "1 rows of 1 probabilities"),
        ({"transitions": (((-0.5,),), ((1.5,),)), "start": (1.0,)}, "greater than or equal to 0"),
    ],
)
def test_what_is_no_process_is_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        HiddenMarkovProcess.model_validate(fields)


def test_too_many_words_are_refused() -> None:
    with pytest.raises(MechanismError, match="expected at most 131072 sequences"):
        CLOUDY.words(18)
