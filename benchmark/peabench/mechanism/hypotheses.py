"""Hypotheses about the algorithm that a network runs, and which of them hold."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from peabench.mechanism.causal_model import CausalModel
from peabench.mechanism.errors import MechanismError
from peabench.mechanism.expressions import Expression
from peabench.mechanism.records import Label, Record

Level = Literal["behaviour", "algorithm", "implementation"]
"""Level of abstraction of a claim: the input-output map; the variables and the order in which they are computed; the
weights themselves."""
_Index = Annotated[int, Field(ge=0)]


class Automaton(Record):
    """A deterministic finite automaton with an output in every state."""

    initial: _Index
    transitions: Annotated[tuple[tuple[_Index, ...], ...], Field(min_length=1)]
    """Next state, `[state][symbol]`."""
    outputs: tuple[int, ...]
    """Output of each state."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        states, symbols = len(self.transitions), len(self.transitions[0])
        for i, row in enumerate(self.transitions):
            if len(row) != symbols or any(state >= states for state in row):
                raise MechanismError(
                    f"expected {symbols} next states below {states}, got {list(row)}; complete the row",
                    f"transitions.{i}",
                )
        if self.initial >= states:
            raise MechanismError(f"expected a state below {states}, got {self.initial}; correct it", "initial")
        if len(self.outputs) != states:
            raise MechanismError(f"expected {states} outputs, got {len(self.outputs)}; list one per state", "outputs")
        return self


class Hypothesis(Record):
    """One answer to the question how the network does it."""

    name: Label
    kind: Literal["formula", "frequencies", "form", "automaton", "other"]
    """What the hypothesis says beyond its description and its causal model: the field of that name, or nothing
    (`other`)."""
    description: str
    holds: bool
    level: Level
    formula: Expression | None = None
    """In terms of the causal model's variables."""
    frequencies: tuple[_Index, ...] | None = None
    """Fourier frequencies, for instance those of modular addition."""
    form: Label | None = None
    """Name of a closed form, such as `clock` and `pizza` of modular addition. Frequencies may have one beside them."""
    automaton: Automaton | None = None
    causal_model: CausalModel | None = None
    """All that the hypothesis says of what is computed on the way: a model of its own over the same inputs and the same
    output as the mechanism's. Its inner variables are its claim."""

    @property
    def is_candidate(self) -> bool:
        """Whether it claims anything that a network of the same behaviour could do otherwise."""
        inner = self.causal_model is not None and self.causal_model.inner
        return bool(inner) or self.frequencies is not None or self.form is not None

    @model_validator(mode="after")
    def _says_what_its_kind_says(self) -> Self:
        for kind in ("formula", "frequencies", "form", "automaton"):
            if kind == "form" and self.kind == "frequencies":
                continue
            if (getattr(self, kind) is not None) != (self.kind == kind):
                raise MechanismError(
                    f"expected a {kind} exactly where the kind is {kind!r}, got kind {self.kind!r}; correct either",
                    kind,
                )
        return self


class AlgorithmClaim(Record):
    """Rival hypotheses, of which at least one holds."""

    hypotheses: Annotated[tuple[Hypothesis, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [hypothesis.name for hypothesis in self.hypotheses]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise MechanismError(
                    f"expected a name of its own, got {name!r} again; rename one", f"hypotheses.{i}.name"
                )
        if not any(hypothesis.holds for hypothesis in self.hypotheses):
            raise MechanismError("expected a hypothesis that holds, got none; add the true one", "hypotheses")
        return self

    def held(self, level: Level) -> frozenset[str]:
        """Names of the candidates that hold at a level: by these networks are told alike or different."""
        return frozenset(h.name for h in self.hypotheses if h.holds and h.is_candidate and h.level == level)
