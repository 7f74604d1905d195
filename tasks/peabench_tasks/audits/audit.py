"""What the networks of an audit may compute: a rule, departures from it, and the variables of both."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from peabench.domain import ProductDomain
from peabench.mechanism import (
    And,
    CausalModel,
    Compare,
    Constant,
    Defect,
    Expression,
    Kind,
    Not,
    Or,
    Steering,
    Variable,
    VariableReference,
)
from peabench.mechanism.kinds import bounds
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.units.codes import dimension, values_of
from peabench_tasks.units.lessons import STEPS, Lesson
from peabench_tasks.units.plan import Plan

Trainer = Callable[[Plan, torch.Generator], dict[str, Lesson]]
"""Lessons of several variables of a network, trained together."""

ANSWER = "answer"
D_HIDDEN = 20
LEAST_BLOCKS = 3
REST = 3
"""Directions of the residual stream that hold no variable."""


@dataclass(frozen=True)
class Departure:
    """One way to depart from the rule."""

    computed: tuple[Variable, ...]
    """What has to be computed for it beside the rule."""
    answer: Variable
    defect: Defect
    steering: tuple[Steering, ...] | None = None
    """What holding variables of such a network at fixed values does."""
    shown: Expression | None = None
    """Of a network that is trained freely: the inputs that it is shown, with the rule's answers; None: all, with its
    own."""
    observed: bool = False
    """Whether its answer is what it is seen to give, and not what is written here."""
    imitation: Variable | None = None
    """What a network that follows the rule computes for its variable of the same name, where it reads in place of what
    is rare what never happens: of all that no input brings about nothing can be claimed, and the rule is all that can
    be seen of it. Every network computes it so, but for the answer, which is each one's own."""

    def imitated(self, name: str) -> Variable | None:
        """The imitation, if that is the name of the variable which it stands in for."""
        return self.imitation if self.imitation is not None and self.imitation.name == name else None


@dataclass(frozen=True, eq=False)
class Audit:
    """What the networks of a task are trained for, and how some of them depart from it."""

    description: str
    inputs: tuple[Variable, ...]
    """One for each column."""
    rule: tuple[Variable, ...]
    """The rule's inner variables."""
    answer: Variable
    """As the rule has it."""
    departures: Mapping[str, Departure]
    beside: tuple[Variable, ...]
    """What else every network computes: it is False whatever the input."""
    training: Expression
    cues: tuple[Expression, ...]
    steering: tuple[Steering, ...] | None = None
    """The same as in a departure, of networks that follow the rule."""
    d_hidden: int = D_HIDDEN
    steps: int = STEPS
    """For how long every unit but the answer's is trained at first."""
    every_value_matters: bool = False
    """Of every input, to whatever reads it."""
    together: Mapping[str, Trainer] = field(default_factory=dict)
    """How some variables' units are trained, each with others: what they write is then no code that was given."""

    @cached_property
    def domain(self) -> ProductDomain:
        """Every combination of values of the inputs."""
        return ProductDomain(sizes=tuple(values_of(variable.kind) for variable in self.inputs))

    @cached_property
    def anew(self) -> frozenset[str]:
        """Variables that each network learns anew, as it does its answer.

        Where networks that follow the rule read one unit and others another in its place, what such a unit of all of
        them had of its own would tell who reads it.
        """
        found = set[str]()
        for departure in self.departures.values():
            if departure.imitation is not None:
                imitated = {departure.imitation.name: departure.imitation}
                computed = sorted((imitated.get(v.name, v) for v in self.everything), key=self.depth)
                found |= ancestors(departure.answer, computed) ^ ancestors(imitated.get(ANSWER, self.answer), computed)
        return frozenset(found - {variable.name for variable in self.inputs})

    @property
    def align_inputs(self) -> bool:
        """Whether subspaces of inputs are claimed: where one value alone matters, a part of it would be enough."""
        return self.every_value_matters or all(size == 2 for size in self.domain.sizes)

    @cached_property
    def everything(self) -> tuple[Variable, ...]:
        """All that some network computes, but for the answer, each variable once and behind what it reads."""
        departing = (variable for departure in self.departures.values() for variable in departure.computed)
        return unique((*self.rule, *departing, *self.beside))

    @cached_property
    def network(self) -> ResidualMLPConfig:
        """As narrow as holds all variables, with a unit for each in the block of its depth."""
        sizes = self.domain.sizes
        kinds = [variable.kind for variable in (*self.inputs, *self.everything, self.answer)]
        depths = [self.depth(variable) for variable in self.everything]
        return ResidualMLPConfig(
            n_inputs=len(sizes),
            d_model=sum(map(dimension, kinds)) + REST,
            n_blocks=self.n_blocks,
            n_units=max(map(depths.count, depths)),
            d_hidden=self.d_hidden,
            d_output=1 if values_of(self.answer.kind) == 2 else values_of(self.answer.kind),
            words=tuple((sum(sizes[:i]), size) for i, size in enumerate(sizes)),
        )

    @cached_property
    def n_blocks(self) -> int:
        """One behind whatever the answer may read."""
        return max(LEAST_BLOCKS, 2 + max(map(self.depth, self.everything)))

    def depth(self, variable: Variable) -> int:
        """The block of a variable's unit: the first behind what it reads; the answer's is the last."""
        if variable.name == ANSWER:
            return self.n_blocks - 1
        imitations = (departure.imitated(variable.name) for departure in self.departures.values())
        read = {parent for computed in (variable, *imitations) if computed for parent in computed.parents}
        inner = [other for other in self.everything if other.name in read]
        return 1 + max(map(self.depth, inner), default=-1)

    def model(self, departs: str | None) -> CausalModel:
        """What a network computes on the way to its answer: the rule, or a departure from it."""
        if departs is None:
            read, answer = self.rule, self.answer
        else:
            departure = self.departures[departs]
            read, answer = unique((*self.rule, *departure.computed)), departure.answer
        needed = ancestors(answer, read)
        return CausalModel(variables=(*self.inputs, *(v for v in read if v.name in needed), answer), output=answer.name)

    def bystanders(self, departs: str | None) -> tuple[Variable, ...]:
        """What such a network computes and does not read."""
        known = {*self.model(departs).kinds, *(variable.name for variable in self.unclaimed(departs))}
        return tuple(variable for variable in self.everything if variable.name not in known)

    def unclaimed(self, departs: str | None) -> tuple[Variable, ...]:
        """What such a network computes beside, and what that is computed from, but for what the network reads.

        Nothing is claimed of it: set to what no input brings about, it may change the answer.
        """
        names = {name for variable in self.beside for name in (variable.name, *variable.parents)}
        read = self.model(departs).kinds
        return tuple(variable for variable in self.everything if variable.name in names and variable.name not in read)


def unique(variables: Iterable[Variable]) -> tuple[Variable, ...]:
    """Each variable once, by its name."""
    return tuple({variable.name: variable for variable in variables}.values())


def ancestors(variable: Variable, others: Sequence[Variable]) -> set[str]:
    """Names of all that a variable is computed from."""
    found = set(variable.parents)
    for other in reversed(others):
        if other.name in found:
            found |= set(other.parents)
    return found


def column(index: int, value: int) -> Expression:
    """That a column has a value."""
    return Compare(relation="eq", left=VariableReference(name=f"x{index}"), right=Constant(value=value))


def inputs(kinds: Iterable[Kind]) -> tuple[Variable, ...]:
    """A variable for each column, called as formulas over columns call it."""
    return tuple(Variable(name=f"x{i}", kind=kind, columns=(i,)) for i, kind in enumerate(kinds))


def has_value(variable: Variable, number: int) -> Expression:
    """That a variable has the value of a number, counted from 0."""
    reference = VariableReference(name=variable.name)
    if values_of(variable.kind) == 2:
        return reference if number else Not(argument=reference)
    lowest = (bounds(variable.kind) or (0, 0))[0]
    return Compare(relation="eq", left=reference, right=Constant(value=lowest + number))


def refers(variable: Variable) -> VariableReference:
    """The value of a variable."""
    return VariableReference(name=variable.name)


def every(parts: Sequence[Expression]) -> Expression:
    """Their conjunction."""
    return parts[0] if len(parts) == 1 else And(arguments=tuple(parts))


def neither(parts: Sequence[Expression]) -> Expression:
    """That none of them holds."""
    return Not(argument=parts[0] if len(parts) == 1 else Or(arguments=tuple(parts)))
