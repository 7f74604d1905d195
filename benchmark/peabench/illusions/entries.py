"""What is known of each illusion, as data that packages bring: which tasks show it, and which method falls for it."""

import importlib.util
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from peabench.documents import read_document
from peabench.errors import PeabenchError
from peabench.registry import ILLUSIONS, registered
from peabench.suites import TaskId

FILE = "illusions.json"

Measure = Literal["read-out", "interchange", "missed edges", "attention", "untrained", "absorption"]
"""How a method's confidence and the truth are told from one another: `peabench.illusions.measures`."""
Tasks = Annotated[tuple[TaskId, ...], Field(min_length=1)]


class Illusion(BaseModel):
    """Something that has fooled the field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*$")]
    sentence: str
    """What is the case, and what is wrongly concluded."""
    reference: str
    """Who has told of it."""
    track: str
    tasks: Tasks
    """That show it."""
    plain: tuple[TaskId, ...] = ()
    """Of the same families, without it; none where it is a matter of what is asked on the same network."""
    method: str
    """A scorer that falls for it."""
    measure: Measure
    scored: bool = True
    """Whether a score on its tasks says who falls for it, and counts for illusion scores."""
    verified: Annotated[tuple[str, ...], Field(min_length=1)]
    """The checks of the tasks' certificates that say so."""


class Illusions(BaseModel):
    """The illusions of a package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    illusions: tuple[Illusion, ...]

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        names = [illusion.name for illusion in self.illusions]
        if len(set(names)) < len(names):
            raise ValueError(f"illusions: expected each name once, got {names}")
        return self


def installed_illusions() -> tuple[Illusion, ...]:
    """The illusions of all installed packages, in the order of their files.

    Raises:
        PeabenchError: a file is missing or malformed.
    """
    found: list[Illusion] = []
    for point in registered(ILLUSIONS):
        spec = importlib.util.find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise PeabenchError(f"The entry point {point.name!r} of {ILLUSIONS} must name a package: {point.value!r}.")
        for folder in spec.submodule_search_locations:
            found += read_document(Path(folder) / FILE, Illusions, "list of illusions").illusions
    return tuple(found)
