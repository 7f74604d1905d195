"""The processes of the family."""

from collections.abc import Callable, Iterable
from operator import and_, xor
from typing import Literal

import torch

from peabench.mechanism import HiddenMarkovProcess

ProcessName = Literal["rrxor", "rrand", "ring", "mess3"]
Arc = tuple[int, int, int, float]
"""From a state, writing a token, to a state, with a probability."""


def process(states: int, tokens: int, arcs: Iterable[Arc]) -> HiddenMarkovProcess:
    """A process that has been running for long: it begins in its stationary distribution."""
    matrices = torch.zeros(tokens, states, states, dtype=torch.float64)
    for state, token, following, probability in arcs:
        matrices[token, state, following] += probability
    kept = matrices.sum(0).T - torch.eye(states, dtype=torch.float64)
    equations = torch.cat([kept, torch.ones(1, states, dtype=torch.float64)])
    wanted = torch.cat([torch.zeros(states, dtype=torch.float64), torch.ones(1, dtype=torch.float64)])
    start = torch.linalg.lstsq(equations, wanted[:, None]).solution[:, 0].clamp(min=0)
    return HiddenMarkovProcess(
        transitions=matrices.tolist(),
        start=(start / start.sum()).tolist(),
    )


def two_random_tokens_and(function: Callable[[int, int], int]) -> HiddenMarkovProcess:
    """Two fair bits, then a bit that is a function of them, again and again.

    States: before the first bit; after a 0; after a 1; before a 0; before a 1.
    """
    arcs: list[Arc] = [(0, 0, 1, 0.5), (0, 1, 2, 0.5)]
    arcs += [(1 + one, other, 3 + function(one, other), 0.5) for one in (0, 1) for other in (0, 1)]
    return process(5, 2, [*arcs, (3, 0, 0, 1.0), (4, 1, 0, 1.0)])


def ring(steady: float) -> HiddenMarkovProcess:
    """A walk on four places in a ring, forwards with the given probability, else backwards; two of them show 1."""
    arcs: list[Arc] = []
    for place in range(4):
        for following, probability in (((place + 1) % 4, steady), ((place - 1) % 4, 1 - steady)):
            arcs.append((place, int(following >= 2), following, probability))
    return process(4, 2, arcs)


def mess3(stay: float, clear: float) -> HiddenMarkovProcess:
    """Three states that mostly stay as they are, and mostly write their own token (Marzen & Crutchfield 2017)."""
    arcs: list[Arc] = []
    for state in range(3):
        for following in range(3):
            move = stay if following == state else (1 - stay) / 2
            for token in range(3):
                arcs.append((state, token, following, move * (clear if token == following else (1 - clear) / 2)))
    return process(3, 3, arcs)


PROCESSES: dict[ProcessName, Callable[[], HiddenMarkovProcess]] = {
    "rrxor": lambda: two_random_tokens_and(xor),
    "rrand": lambda: two_random_tokens_and(and_),
    "ring": lambda: ring(0.8),
    "mess3": lambda: mess3(0.7, 0.6),
}
