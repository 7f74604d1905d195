"""A way to compute something, as a causal model with a name, and the hypotheses made of several ways."""

from collections.abc import Iterable
from dataclasses import dataclass

from peabench.mechanism import AlgorithmClaim, CausalModel, Hypothesis

FLAT = "flat"
"""Name of the hypothesis that says nothing but what every network does."""


@dataclass(frozen=True)
class Algorithm:
    """One of several ways to the same output."""

    name: str
    description: str
    model: CausalModel
    """Wherever two ways name a variable alike, it is the same function of the inputs."""


def claim(algorithms: Iterable[Algorithm], holds: str) -> AlgorithmClaim:
    """Every way as a hypothesis, one of which holds; and the flat one, which always does."""
    hypotheses = [
        Hypothesis(
            name=algorithm.name,
            kind="other",
            description=algorithm.description,
            holds=algorithm.name == holds,
            level="algorithm",
            causal_model=algorithm.model,
        )
        for algorithm in algorithms
    ]
    flat = Hypothesis(
        name=FLAT, kind="other", description="The outputs, whatever is in between.", holds=True, level="behaviour"
    )
    return AlgorithmClaim(hypotheses=(*hypotheses, flat))
