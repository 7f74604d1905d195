"""Errors about mechanisms: one line that names the file, the field, what was expected and what came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from peabench.errors import PeabenchError

LONGEST_QUOTE = 80
"""Characters of an offending value that a message quotes."""


class MechanismError(PeabenchError, ValueError):
    """A mechanism, or a request made of one, that is not valid.

    It is a ValueError too, so that pydantic reports it with the place where it arose. `field` is the path of
    the offending field below that place ("" when the place itself is at fault).
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"field {field}: {message}" if field else message)
        self.message = message
        self.field = field


def quote(value: object) -> str:
    """`value` as it came, on one line and cut to a readable length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # Integers of thousands of digits and very deep values have no repr.
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def in_file(path: Path, field: str, message: str) -> MechanismError:
    """The error `message` about `field` of the file `path`, as one line."""
    line = f"{path}: field {field or '(file)'}: {message}"
    return MechanismError(" ".join(line.split()))


def explain(path: Path, error: ValidationError, data: Any) -> MechanismError:
    """The first complaint of a pydantic `error` about the parsed content `data` of the file `path`, as one line."""
    first = error.errors(include_url=False)[0]
    field = _path(first["loc"], data)
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, MechanismError):
        field = ".".join(part for part in (field, cause.field) if part)
        message = cause.message
    else:
        message = _sentence(first["type"], first["msg"], first["input"], first.get("ctx", {}))
    more = error.error_count() - 1
    return in_file(path, field, message + (f" ({more} more like this)" if more else ""))


def _path(location: tuple[int | str, ...], data: Any) -> str:
    """Field path of an error; the tags that pydantic adds for members of a union are no fields and are left out."""
    parts: list[str] = []
    for i, step in enumerate(location):
        named = isinstance(data, dict) and step in data
        if named or (isinstance(data, list) and isinstance(step, int) and step < len(data)):
            data = data[step]
        elif i + 1 < len(location) or not isinstance(data, dict):
            continue
        parts.append(str(step))
    return ".".join(parts)


def _sentence(kind: str, message: str, value: object, context: dict[str, Any]) -> str:
    if kind == "extra_forbidden":
        return f"expected no such field, got {quote(value)}; remove it or correct its name"
    if kind == "missing":
        return "expected a value, got none; add the field"
    if kind == "literal_error":
        return f"expected {context['expected']}, got {quote(value)}; use one of the expected values"
    if kind == "union_tag_invalid":
        return f"expected one of {context['expected_tags']}, got {context['tag']!r}; use one of the expected tags"
    if kind == "recursion_loop":
        return "expected a tree of bounded depth, got one nested too deeply; split it over several variables"
    wanted = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return f"expected {wanted[:1].lower()}{wanted[1:]}, got {quote(value)}; correct the value"
