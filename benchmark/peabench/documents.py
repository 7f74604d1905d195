"""Reading JSON documents that others wrote: a mistake in one is a sentence that names the file and the field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from pydantic import ValidationError

DocumentT = TypeVar("DocumentT")
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""As JSON escapes it: half of a letter, which is none without the other half."""


def read_json(file: Path, noun: str) -> Any:
    """What a JSON file says, whatever it is. It needs no other package, so that listings start at once.

    Args:
        file: where it stands.
        noun: what it is called in errors: `task`, `suite`, `result`.

    Raises:
        PeabenchError: the file cannot be read, or is no JSON.
    """
    try:
        content = file.read_bytes()
        value = json.loads(content)
        if SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False).encode()
    except OSError as error:
        raise PeabenchError(f"The {noun} {file} could not be read: {error.strerror}; check its path.") from error
    except UnicodeEncodeError as error:
        raise PeabenchError(
            f"The {noun} {file} is malformed: it must hold no text but Unicode, but has half a letter; restore it."
        ) from error
    except ValueError as error:
        raise PeabenchError(f"The {noun} {file} is malformed: it must be JSON, but {error}; restore it.") from error
    except RecursionError:
        raise PeabenchError(f"The {noun} {file} is malformed: it is nested too deeply; restore it.") from None
    return value


def read_document(file: Path, kind: type[DocumentT], noun: str) -> DocumentT:
    """The document in a JSON file.

    Args:
        file: where it stands.
        kind: what it must hold: a pydantic model, or a tuple of them.
        noun: what it is called in errors: `task`, `suite`, `result`.

    Raises:
        PeabenchError: the file cannot be read, or a field of it is wrong.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(read_json(file, noun))
    except ValidationError as error:
        raise PeabenchError(f"The {noun} {file} is malformed: {first_complaint(error)}; restore it.") from error


def first_complaint(error: ValidationError) -> str:
    """What the first complaint of a validation says: the field, and what is wrong with it, on one line."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    return " ".join(f"{field}: {first['msg']}".split())
