"""Causal models under other names: what a variable is called may say more than a question should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peabench.mechanism.causal_model import CausalModel


def renamed(model: CausalModel, names: Mapping[str, str]) -> CausalModel:
    """A causal model with other names for some variables, everywhere they are mentioned."""
    return CausalModel.model_validate(_renamed(model.model_dump(), names))


def neutral(model: CausalModel) -> CausalModel:
    """A causal model without its free text, its inner variables called `v0`, `v1`, ... in their order.

    Inputs and output keep their names. Names that these have already are passed over.
    """
    taken = {*model.inputs, model.output}
    free = (f"v{i}" for i in range(2 * len(model.variables)) if f"v{i}" not in taken)
    plain = tuple(variable.model_copy(update={"description": ""}) for variable in model.variables)
    bare = model.model_copy(update={"description": "", "variables": plain})
    return renamed(bare, dict(zip(model.inner, free, strict=False)))


def _renamed(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    variables = [
        {
            **variable,
            "name": names.get(variable["name"], variable["name"]),
            "parents": [names.get(parent, parent) for parent in variable["parents"]],
            "function": _mentions_renamed(variable["function"], names),
        }
        for variable in document["variables"]
    ]
    output = document["output"]
    return {**document, "variables": variables, "output": names.get(output, output)}


def _mentions_renamed(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        found = {key: _mentions_renamed(value, names) for key, value in part.items()}
        return found | {"name": names.get(part["name"], part["name"])} if part.get("op") == "variable" else found
    if isinstance(part, tuple) and part and isinstance(part[0], dict):
        return tuple(_mentions_renamed(item, names) for item in part)
    return part
