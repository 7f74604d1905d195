"""Hidden Markov processes: what writes the tokens, and what can be known of it from those seen so far (Bayes)."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from typing import Annotated, Self

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor

from peabench.mechanism.errors import MechanismError
from peabench.mechanism.records import Record

Probability = Annotated[float, Field(ge=0, le=1)]
MOST_WORDS = 1 << 17
"""Sequences of one length that are listed."""


@dataclass(frozen=True)
class Words:
    """Sequences of one length with their probabilities."""

    tokens: Int[Tensor, "word position"]
    probability: Float[Tensor, " word"]


class HiddenMarkovProcess(Record):
    """Hidden states that nobody sees; every step goes to another state and writes a token."""

    transitions: Annotated[
        tuple[Annotated[tuple[Annotated[tuple[Probability, ...], Field(min_length=1)], ...], Field(min_length=1)], ...],
        Field(min_length=1, max_length=256),
    ]
    """`transitions[token][state][next]`: the probability of writing the token and going on to the next state."""
    start: Annotated[tuple[Probability, ...], Field(min_length=1, max_length=256)]
    """How probable each state is before the first token."""

    @model_validator(mode="after")
    def _stochastic(self) -> Self:
        states = len(self.start)
        for token, matrix in enumerate(self.transitions):
            if len(matrix) != states or any(len(row) != states for row in matrix):
                raise MechanismError(
                    f"expected {states} rows of {states} probabilities, as start has states; correct the matrix",
                    f"transitions.{token}",
                )
        for state in range(states):
            total = sum(sum(matrix[state]) for matrix in self.transitions)
            if not isclose(total, 1, abs_tol=1e-9):
                raise MechanismError(
                    f"expected probabilities that sum to 1 from state {state}, got {total:.6g}; correct its rows",
                    "transitions",
                )
        if not isclose(sum(self.start), 1, abs_tol=1e-9):
            raise MechanismError(f"expected probabilities that sum to 1, got {sum(self.start):.6g}", "start")
        return self

    @property
    def n_states(self) -> int:
        """Number of hidden states."""
        return len(self.start)

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return len(self.transitions)

    def matrices(self) -> Float[Tensor, "token state next"]:
        """`transitions` as a tensor, in double precision."""
        return torch.tensor(self.transitions, dtype=torch.float64)

    def beliefs(self, tokens: Int[Tensor, "row position"]) -> Float[Tensor, "row position state"]:
        """How probable each hidden state is after the tokens up to each position, by Bayes; 0 where those never occur.

        >>> tails, heads = ((0.5, 0.0), (0.0, 0.0)), ((0.0, 0.5), (0.0, 1.0))
        >>> coin = HiddenMarkovProcess(transitions=(tails, heads), start=(1.0, 0.0))
        >>> coin.beliefs(torch.tensor([[0, 1], [1, 0]])).tolist()
        [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]]
        """
        start = torch.tensor(self.start, dtype=torch.float64).expand(len(tokens), -1)
        return self.continued(start, tokens)[:, 1:]

    def continued(
        self, belief: Float[Tensor, "row state"], tokens: Int[Tensor, "row step"]
    ) -> Float[Tensor, "row 1+step state"]:
        """A belief, and what becomes of it after each of some tokens, by Bayes; 0 where those never follow."""
        matrices, found = self.matrices(), [belief]
        for token in tokens.T:
            found.append(_normalised((found[-1][:, None] @ matrices[token])[:, 0]))
        return torch.stack(found, 1)

    def next_tokens(self, beliefs: Float[Tensor, "*row state"]) -> Float[Tensor, "*row token"]:
        """How probable each token is next, given beliefs about the state."""
        return beliefs @ self.matrices().sum(2).T

    def words(self, length: int) -> Words:
        """Every sequence of a length that can occur, in the order of its tokens.

        Raises:
            MechanismError: there are more than 131,072.
        """
        tokens = torch.zeros(1, 0, dtype=torch.long)
        weights = torch.tensor(self.start, dtype=torch.float64)[None]
        for _ in range(length):
            weights = torch.einsum("ws,tsn->wtn", weights, self.matrices())
            word, token = weights.sum(2).nonzero(as_tuple=True)
            if len(word) > MOST_WORDS:
                raise MechanismError(
                    f"expected at most {MOST_WORDS} sequences of {length} tokens, got more; shorten them"
                )
            tokens, weights = torch.cat([tokens[word], token[:, None]], 1), weights[word, token]
        return Words(tokens, weights.sum(1))

    def sample(self, count: int, length: int, generator: torch.Generator) -> Int[Tensor, "row position"]:
        """Sequences drawn as the process writes them."""
        belief = torch.tensor(self.start, dtype=torch.float64).expand(count, -1)
        matrices, tokens = self.matrices(), []
        for _ in range(length):
            tokens.append(torch.multinomial(self.next_tokens(belief), 1, generator=generator)[:, 0])
            belief = _normalised((belief[:, None] @ matrices[tokens[-1]])[:, 0])
        return torch.stack(tokens, 1)


def _normalised(weights: Float[Tensor, "row state"]) -> Float[Tensor, "row state"]:
    """Weights divided by their sum; all 0 where that is 0."""
    total = weights.sum(1, keepdim=True)
    return torch.where(total > 0, weights / total.clamp(min=1e-300), 0)
