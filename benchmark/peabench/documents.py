"""Reading JSON documents that others wrote: a mistake in one is a sentence that names the file and the field."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from peabench.errors import PeabenchError

DocumentT = TypeVar("DocumentT", bound=BaseModel)


def read_document(file: Path, model: type[DocumentT], noun: str) -> DocumentT:
    """The document in a JSON file.

    Args:
        file: where it stands.
        model: what it must hold.
        noun: what it is called in errors: `suite`, `result`.

    Raises:
        PeabenchError: the file cannot be read, or a field of it is wrong.
    """
    try:
        return model.model_validate_json(file.read_bytes())
    except OSError as error:
        raise PeabenchError(f"The {noun} {file} could not be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PeabenchError(f"The {noun} {file} is malformed: {field}: {first['msg']}.") from error
