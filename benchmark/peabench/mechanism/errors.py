"""Errors about mechanisms: one line that names the file, the field, what was expected and what came."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

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
    complaints = error.errors(include_url=False)
    first = complaints[0]
    places = [_path(complaint["loc"], data, complaint["type"] == "missing") for complaint in complaints]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, MechanismError):
        return in_file(path, ".".join(part for part in (places[0], cause.field) if part), cause.message)
    # A field of several types is complained about once for each of them.
    rivals = [complaint for complaint, place in zip(complaints, places, strict=True) if place == places[0]]
    wanted = [_expected(rival["type"], rival["msg"], rival.get("ctx", {})) for rival in rivals]
    expected = " or ".join(dict.fromkeys(wanted))
    remedy = _REMEDIES.get(first["type"], "correct the value")
    return in_file(path, places[0], f"expected {expected}, got {_got(first)}; {remedy}")


_REMEDIES = {
    "extra_forbidden": "remove it or correct its name",
    "missing": "add the field",
    "literal_error": "use one of the expected values",
    "union_tag_invalid": "use one of the expected tags",
    "union_tag_not_found": "add the tag",
    "recursion_loop": "split it over several variables",
}


def _path(location: tuple[int | str, ...], data: Any, missing: bool) -> str:
    """Field path of an error; the tags that pydantic adds for members of a union are no fields and are left out."""
    parts: list[str] = []
    for i, step in enumerate(location):
        named = isinstance(data, dict) and step in data
        if named or (isinstance(data, list) and isinstance(step, int) and step < len(data)):
            data = data[step]
        elif not (missing and i + 1 == len(location)):
            continue
        parts.append(str(step))
    return ".".join(parts)


def _got(complaint: ErrorDetails) -> str:
    if complaint["type"] == "missing":
        return "none"
    return quote(complaint["ctx"]["tag"] if complaint["type"] == "union_tag_invalid" else complaint["input"])


def _expected(kind: str, message: str, context: dict[str, Any]) -> str:
    if kind == "extra_forbidden":
        return "no such field"
    if kind == "missing":
        return "a value"
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "union_tag_invalid":
        return f"{context['discriminator']} to be one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"an object with the tag {context['discriminator']}"
    if kind == "recursion_loop":
        return "a tree of bounded depth"
    if kind == "string_pattern_mismatch":
        return f"a name of the pattern {context['pattern']}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return message.replace("Input should be", "a number")
    wanted = re.sub(r"^(Value error, |Input should be |(Tuple|List|String) should (have )?)", "", message)
    wanted = wanted.split(" after validation")[0]
    return wanted[:1].lower() + wanted[1:]
