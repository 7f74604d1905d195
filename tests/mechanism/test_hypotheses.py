"""Hypotheses: automata must be complete and claims consistent."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from peabench.mechanism import AlgorithmClaim, Automaton, Hypothesis

PARITY: dict[str, Any] = {"initial": 0, "transitions": ((0, 1), (1, 0)), "outputs": (0, 1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial": 2}, "initial: expected a state below 2, got 2"),
        ({"outputs": (0,)}, "outputs: expected 2 outputs, got 1"),
        ({"transitions": ((0, 1), (1,))}, "transitions.1: expected 2 next states below 2"),
        ({"transitions": ((0, 2), (1, 0))}, "transitions.0: expected 2 next states below 2"),
        ({"transitions": ()}, "at least 1 item"),
    ],
)
def test_incomplete_automata_are_refused(change: dict[str, Any], message: str) -> None:
    Automaton(**PARITY)
    with pytest.raises(ValidationError, match=message):
        Automaton(**PARITY | change)


def test_names_are_unique_and_something_holds() -> None:
    true = Hypothesis(name="h", kind="other", description="", holds=True, level="behaviour")
    false = Hypothesis(name="h", kind="other", description="", holds=False, level="behaviour")
    AlgorithmClaim(hypotheses=(true,))
    with pytest.raises(ValidationError, match=r"hypotheses\.1\.name: expected a name of its own"):
        AlgorithmClaim(hypotheses=(true, false))
    with pytest.raises(ValidationError, match="expected a hypothesis that holds, got none"):
        AlgorithmClaim(hypotheses=(false,))


@pytest.mark.parametrize("kind", ["formula", "frequencies", "automaton"])
def test_a_hypothesis_has_the_data_of_its_kind(kind: Any) -> None:
    with pytest.raises(ValidationError, match=f"{kind}: expected a {kind} exactly where the kind is"):
        Hypothesis(name="h", kind=kind, description="", holds=True, level="behaviour")
