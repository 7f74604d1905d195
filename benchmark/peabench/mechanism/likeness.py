"""Causal models that are alike but for the names of variables and the order of inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from peabench.mechanism.causal_model import CausalModel
from peabench.mechanism.expressions import ExpressionNode, VariableReference, children

SYMMETRIC = frozenset({"and", "or", "xor", "majority", "add", "multiply"})
"""Functions whose arguments may stand in any order."""
_ASKED = "the variable asked about"


def fingerprint(model: CausalModel) -> str:
    """A text that a causal model shares with every other that differs from it in names and in order alone.

    In order: of the columns of the inputs, of the variables and of the arguments of symmetric functions. Inputs that
    nobody reads do not count. It is found by colour refinement (Weisfeiler and Leman, 1968): a variable's colour says
    its kind, its function of its parents' colours and what reads it, until no further variables are told apart. Models
    that are not the same may share one too where refinement cannot tell them apart.
    """
    read = {parent for parent, _ in model.edges} | {model.output}
    kept = [variable for variable in model.variables if variable.name in read or variable.function is not None]
    children_of = {variable.name: [v for v in kept if variable.name in v.parents] for variable in kept}
    colours = {v.name: _digest(v.kind.model_dump_json(), str(v.name == model.output)) for v in kept}
    for _ in kept:
        refined = {}
        for variable in kept:
            own = "" if variable.function is None else _seen(variable.function, colours)
            readers = [
                _digest(colours[reader.name], _seen(reader.function, {**colours, variable.name: _ASKED}))
                for reader in children_of[variable.name]
                if reader.function is not None
            ]
            refined[variable.name] = _digest(colours[variable.name], own, *sorted(readers))
        settled = len(set(refined.values())) == len(set(colours.values()))
        colours = refined
        if settled:
            break
    return _digest(*sorted(colours.values()))


def _seen(expression: ExpressionNode, colours: Mapping[str, str]) -> str:
    """A function with colours in place of its variables."""
    if isinstance(expression, VariableReference):
        return colours[expression.name]
    parts = [_seen(child, colours) for child in children(expression)]
    said = {
        name: value
        for name, value in expression.__dict__.items()
        if not isinstance(value, ExpressionNode)
        and not (isinstance(value, tuple) and value and isinstance(value[0], ExpressionNode))
    }
    return _digest(str(said), *(sorted(parts) if said["op"] in SYMMETRIC else parts))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
