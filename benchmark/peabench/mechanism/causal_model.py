"""Causal models: variables in topological order, each a function of its parents, with interventions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Annotated, Self

import numpy as np
from jaxtyping import Int, Shaped
from pydantic import Field, model_validator
from torch import Tensor

from peabench.mechanism.errors import MechanismError
from peabench.mechanism.evaluation import evaluate
from peabench.mechanism.expressions import Expression, VariableReference, variables
from peabench.mechanism.inference import infer
from peabench.mechanism.kinds import Boolean, Kind, check_value, describe, dtype, fits, trailing_shape
from peabench.mechanism.printing import LONGEST_TEXT, Text, render, to_text
from peabench.mechanism.records import Name, Record

CausalEdge = tuple[Name, Name]
"""(parent, child)."""
MOST_VARIABLES = 10_000
Values = dict[str, Shaped[Tensor, "..."]]
"""Value of each variable: `[*batch, *trailing_shape(kind)]`."""


class Variable(Record):
    """A variable: an input, which reads columns of the domain, or a function of its parents."""

    name: Name
    kind: Kind
    parents: tuple[Name, ...] = ()
    function: Expression | None = None
    """How the value follows from the parents; None for an input."""
    columns: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Integer columns of the domain that an input reads: one per position, and per component of a vector."""
    description: str = ""

    @model_validator(mode="after")
    def _input_or_function(self) -> Self:
        if self.function is None:
            needed = prod(trailing_shape(self.kind))
            if self.parents:
                raise MechanismError("expected a function, got parents without one; write the function", "function")
            if len(self.columns) != needed or len(set(self.columns)) != needed:
                raise MechanismError(
                    f"expected {needed} different columns for an input of kind {describe(self.kind)}, "
                    f"got {len(set(self.columns))}; list the columns it reads",
                    "columns",
                )
            return self
        if self.columns:
            raise MechanismError("expected no columns beside a function, got some; remove them", "columns")
        used = variables(self.function)
        if used != set(self.parents) or len(self.parents) != len(set(self.parents)):
            raise MechanismError(
                f"expected exactly the variables of the function ({', '.join(sorted(used)) or 'none'}), "
                f"got {', '.join(self.parents) or 'none'}; list each of them once",
                "parents",
            )
        return self


class CausalModel(Record):
    """A causal model. Its variables stand in topological order; `output` is what the network predicts."""

    variables: Annotated[tuple[Variable, ...], Field(min_length=1, max_length=MOST_VARIABLES)]
    output: Name
    description: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        everywhere = {variable.name: variable for variable in self.variables}
        known: dict[str, Kind] = {}
        for i, variable in enumerate(self.variables):
            if variable.name in known:
                raise MechanismError(
                    f"expected a name of its own, got {variable.name!r} for a second variable; rename one",
                    f"variables.{i}.name",
                )
            for parent in variable.parents:
                if parent not in known:
                    raise MechanismError(_order_complaint(everywhere, variable.name, parent), f"variables.{i}.parents")
            if variable.function is not None:
                place = f"variables.{i}.function"
                try:
                    kind = infer(variable.function, known)
                except MechanismError as error:
                    raise MechanismError(error.message, place) from None
                if not fits(kind, variable.kind):
                    raise MechanismError(
                        f"expected {describe(variable.kind)} (the kind of {variable.name}), got {describe(kind)}; "
                        "change the function or the kind",
                        place,
                    )
            known[variable.name] = variable.kind
        if self.output not in known:
            raise MechanismError(
                f"expected one of the variables, got {self.output!r}; name the variable that is predicted", "output"
            )
        return self

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Kind of each variable, in topological order."""
        return {variable.name: variable.kind for variable in self.variables}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input variables, in order."""
        return tuple(variable.name for variable in self.variables if variable.function is None)

    @cached_property
    def inner(self) -> tuple[str, ...]:
        """Names of the variables between inputs and output, in order."""
        return tuple(v.name for v in self.variables if v.function is not None and v.name != self.output)

    @cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """All (parent, child) pairs, in the order of the children: what is needed to draw the graph."""
        return tuple((parent, variable.name) for variable in self.variables for parent in variable.parents)

    def variable(self, name: str) -> Variable:
        """The variable called `name`; a MechanismError if there is none."""
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise self._unknown(name)

    def read_inputs(self, columns: Int[Tensor, "*batch column"]) -> Values:
        """Values of the input variables in rows of the domain.

        Booleans are columns of 0 and 1; reals are the integers themselves.

        Raises:
            MechanismError: too few columns, or entries that are no values of their variable.
        """
        if columns.dtype.is_floating_point or columns.dtype.is_complex or columns.dim() == 0:
            raise MechanismError(
                f"expected integer columns of shape [*batch, column], got {columns.dtype} {list(columns.shape)}; "
                "pass the rows of the domain"
            )
        values: Values = {}
        for name in self.inputs:
            variable = self.variable(name)
            if max(variable.columns) >= columns.shape[-1]:
                raise MechanismError(
                    f"expected at least {max(variable.columns) + 1} columns (for {name}), got {columns.shape[-1]}; "
                    "pass whole rows of the domain"
                )
            read = columns[..., list(variable.columns)]
            if isinstance(variable.kind, Boolean) and bool(((read != 0) & (read != 1)).any()):
                raise MechanismError(f"expected 0 or 1 in the columns of {name}, got other numbers; pass booleans")
            value = read.to(dtype(variable.kind)).reshape(*columns.shape[:-1], *trailing_shape(variable.kind))
            check_value(name, value, variable.kind)
            values[name] = value
        return values

    def run(
        self,
        inputs: Mapping[str, Shaped[Tensor, "..."]],
        interventions: Mapping[str, Shaped[Tensor, "..."]] | None = None,
        edge_interventions: Mapping[tuple[str, str], Shaped[Tensor, "..."]] | None = None,
    ) -> Values:
        """Value of every variable, each `[*batch, *trailing_shape(kind)]`.

        `batch` is the broadcast of all batch shapes given, so that an axis of hypotheses may come in with an
        intervention alone. Results may share memory; do not write to them.

        Args:
            inputs: values of the input variables, as from `read_inputs`.
            interventions: variables, inputs among them, that are set to given values (the do-operator).
            edge_interventions: for (parent, child), what `child`, and only it, sees in place of `parent`. It has no
                effect where `child` itself is set.

        Raises:
            MechanismError: missing, unknown or ill-typed values, or batch shapes that do not broadcast.
        """
        settings, seen = interventions or {}, edge_interventions or {}
        batch = self._check_run(inputs, settings, seen)
        values: Values = {}
        for variable in self.variables:
            name = variable.name
            if name in settings:
                values[name] = settings[name]
            elif variable.function is None:
                values[name] = inputs[name]
            else:
                arguments = {parent: seen.get((parent, name), values[parent]) for parent in variable.parents}
                values[name] = evaluate(variable.function, arguments, self.kinds)
        return {name: value.expand((*batch, *trailing_shape(self.kinds[name]))) for name, value in values.items()}

    def counterfactual(
        self,
        base_columns: Int[Tensor, "*batch column"],
        sources: Mapping[str, Int[Tensor, "*batch column"]] | None = None,
        edge_sources: Mapping[tuple[str, str], Int[Tensor, "*batch column"]] | None = None,
    ) -> Values:
        """What an interchange intervention predicts: the base run with each variable as in its own source run.

        Args:
            base_columns: rows of the domain for the base run.
            sources: for each variable to be set, the rows whose run supplies its value.
            edge_sources: for each (parent, child), the rows whose run supplies what `child` alone sees of `parent`.
        """
        runs: dict[int, Values] = {}

        def value(name: str, columns: Int[Tensor, "*batch column"]) -> Shaped[Tensor, "..."]:
            if name not in self.kinds:
                raise self._unknown(name)
            if id(columns) not in runs:
                runs[id(columns)] = self.run(self.read_inputs(columns))
            return runs[id(columns)][name]

        return self.run(
            self.read_inputs(base_columns),
            {name: value(name, columns) for name, columns in (sources or {}).items()},
            {edge: value(edge[0], columns) for edge, columns in (edge_sources or {}).items()},
        )

    def to_text(self) -> str:
        """One line per variable: `name = formula`, inputs as `name = column 3 (boolean)`."""
        return "\n".join(self._lines())

    def expanded_text(self, name: str) -> str:
        """The whole formula of a variable, written in terms of the inputs.

        Raises:
            MechanismError: no such variable, or the text would be too long.
        """
        self.variable(name)
        return self.in_terms_of_inputs(VariableReference(name=name))

    def in_terms_of_inputs(self, expression: Expression) -> str:
        """A formula over the model's variables, written in terms of the inputs.

        Raises:
            MechanismError: the text would be too long.
        """
        wanted = set(variables(expression)) & self.kinds.keys()
        wanted = wanted.union(*(self._ancestors[name] for name in wanted))
        written: dict[str, Text] = {}
        for variable in self.variables:
            if variable.name in wanted:
                function = variable.function
                written[variable.name] = Text(variable.name) if function is None else render(function, written)
        return render(expression, written).text

    def formula_lines(self, longest: int = 300) -> list[str]:
        """The output's whole formula on one line; if that is longer, one line for each variable on its way."""
        with suppress(MechanismError):  # it has too many characters to be written at all
            whole = f"{self.output} = {self.expanded_text(self.output)}"
            if len(whole) <= longest:
                return [whole]
        wanted = self._ancestors[self.output] | {self.output}
        return [
            f"{variable.name} = {to_text(variable.function)}"
            for variable in self.variables
            if variable.function is not None and variable.name in wanted
        ]

    def formula(self, longest: int = LONGEST_TEXT) -> str:
        """The output's whole formula in terms of the inputs; if that is longer, the output's own, of its parents."""
        return self.formula_lines(longest)[-1].removeprefix(f"{self.output} = ")

    def _lines(self) -> Iterator[str]:
        for variable in self.variables:
            if variable.function is None:
                noun = "column" if len(variable.columns) == 1 else "columns"
                listed = ", ".join(str(column) for column in variable.columns)
                yield f"{variable.name} = {noun} {listed} ({describe(variable.kind)})"
            else:
                yield f"{variable.name} = {to_text(variable.function)}"

    @cached_property
    def _ancestors(self) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for variable in self.variables:
            found[variable.name] = frozenset(variable.parents).union(*(found[parent] for parent in variable.parents))
        return found

    def _unknown(self, name: str) -> MechanismError:
        return MechanismError(
            f"expected a variable of the causal model, got {name!r}; use one of {', '.join(self.kinds)}"
        )

    def _check_run(
        self,
        inputs: Mapping[str, Shaped[Tensor, "..."]],
        settings: Mapping[str, Shaped[Tensor, "..."]],
        seen: Mapping[tuple[str, str], Shaped[Tensor, "..."]],
    ) -> tuple[int, ...]:
        shapes: list[tuple[int, ...]] = []
        for name in (*inputs, *settings):
            if name not in self.kinds:
                raise self._unknown(name)
        for name in self.inputs:
            if name not in inputs and name not in settings:
                raise MechanismError(f"expected a value of input {name!r}, got none; pass one or set it")
        for name in inputs:
            if name not in self.inputs:
                raise MechanismError(f"expected an input variable, got {name!r}; set it by an intervention instead")
            shapes.append(check_value(name, inputs[name], self.kinds[name]))
        for name, value in settings.items():
            shapes.append(check_value(name, value, self.kinds[name]))
        for (parent, child), value in seen.items():
            if (parent, child) not in self.edges:
                raise MechanismError(
                    f"expected an edge (parent, child) of the causal model, got {(parent, child)}; see its edges"
                )
            shapes.append(check_value(parent, value, self.kinds[parent]))
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            raise MechanismError(
                f"expected batch shapes that broadcast, got {sorted(set(shapes))}; align the batches"
            ) from None


def _order_complaint(everywhere: Mapping[str, Variable], name: str, parent: str) -> str:
    """Why `parent` is no earlier variable: it is unknown, part of a cycle, or merely listed too late."""
    if parent not in everywhere:
        return f"expected earlier variables, got the unknown {parent!r}; define it before {name!r}"
    try:
        TopologicalSorter({variable.name: variable.parents for variable in everywhere.values()}).prepare()
    except CycleError as error:
        return f"expected no cycle among parents, got {' -> '.join(error.args[1])}; break the cycle"
    return f"expected earlier variables, got {parent!r}, which stands after {name!r}; sort the variables"
