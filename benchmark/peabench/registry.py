"""What installed packages plug into Peabench through entry points; the core names none of them."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from peabench.errors import PeabenchError

FAMILIES = "peabench.families"
SUITES = "peabench.suites"
SCORERS = "peabench.scorers"
COMMANDS = "peabench.commands"
ILLUSIONS = "peabench.illusions"

SHORT_LIST = 12


@dataclass(frozen=True)
class Draft:
    """A fresh task that a family is to make in a folder."""

    folder: Path
    kind: str
    """One of the kinds that the family draws."""
    key: bytes
    """32 bytes that nobody else knows: all that is random about the task comes from them, at full width."""


@dataclass(frozen=True)
class Drawing:
    """How a family draws fresh tasks whose truth is to be withheld (`peabench seal`)."""

    kinds: tuple[str, ...]
    """`variant-size` of all that it can draw."""
    draw: str
    """`module:function`, imported only to draw; called as
    `draw(drafts: Sequence[Draft], progress: Callable[[str, float], None]) -> None`. It writes a certified task folder
    for each draft, the certificate last, and raises a `PeabenchError` if one does not pass. What questions show of the
    truth, such as names of variables and their order, must not tell the rest of it."""


@dataclass(frozen=True)
class Family:
    """A generator of tasks as the harness sees it. The module that defines it must not import torch."""

    name: str
    """First part of its tasks' ids: `boolean` in `boolean/tree-s-0`."""
    description: str
    checkpoints: Path
    """Folder of its task folders, each named by the second part of the task's id."""
    train: str
    """`module:function`, imported only to train; called as
    `train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool) -> None`."""
    drawing: Drawing | None = None
    """None where sealed suites cannot have its tasks."""


def function_at(location: str) -> Any:
    """The function that a plug-in names as `module:function`."""
    module, _, function = location.partition(":")
    return getattr(importlib.import_module(module), function)


def registered(group: str) -> list[EntryPoint]:
    """Entry points of a group, ordered by name; an installed package that is found twice counts once."""
    found = {(point.name, point.value): point for point in entry_points(group=group)}
    return sorted(found.values(), key=lambda point: (point.name, point.value))


def load(point: EntryPoint) -> object:
    """What an entry point names.

    Raises:
        PeabenchError: its module cannot be imported or has no such attribute.
    """
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise PeabenchError(
            f"The plug-in {point.name!r} of {point.group} ({point.value}) could not be loaded: "
            f"{type(error).__name__}: {error}; repair or uninstall the package that registers it."
        ) from error


def families() -> dict[str, Family]:
    """All installed families by name.

    Raises:
        PeabenchError: an entry point does not name a `Family`, or two families share a name.
    """
    result: dict[str, Family] = {}
    for point in registered(FAMILIES):
        family = load(point)
        if not isinstance(family, Family):
            raise PeabenchError(
                f"The entry point {point.name!r} of {FAMILIES} must name a peabench.registry.Family, "
                f"but {point.value} is a {type(family).__name__}."
            )
        if family.name in result:
            raise PeabenchError(f"Two installed packages bring a family {family.name!r}; uninstall one of them.")
        result[family.name] = family
    return result


def suggestion(name: str, known: Iterable[str], listing: str = "") -> str:
    """The end of a message about an unknown name: the nearest known ones, or all of them where they are few, or else
    the command that lists them.

    >>> suggestion("bolean", ["boolean", "modular"])
    'did you mean boolean?'
    >>> suggestion("ioi", ["boolean", "modular"])
    'known are boolean, modular.'
    """
    names = sorted(set(known))
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names:
        return "none is installed."
    if len(names) > SHORT_LIST:
        return f"none of the {len(names)} known is near it" + (f"; `{listing}` lists them." if listing else ".")
    return f"known are {', '.join(names)}."
