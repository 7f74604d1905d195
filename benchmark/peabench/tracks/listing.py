"""The tracks by name."""

from importlib import import_module
from typing import Any

from peabench.errors import PeabenchError
from peabench.registry import suggestion
from peabench.tracks.track import Track

MODULES = {
    name: f"peabench.tracks.{name}"
    for name in ("algorithms", "audits", "beliefs", "circuits", "features", "universality", "variables")
}


def names() -> list[str]:
    """Names of all tracks.

    >>> names()
    ['algorithms', 'audits', 'beliefs', 'circuits', 'features', 'universality', 'variables']
    """
    return sorted(MODULES)


def get(name: str) -> Track[Any, Any]:
    """The track of a name.

    Raises:
        PeabenchError: there is none.
    """
    if name not in MODULES:
        raise PeabenchError(f"There is no track {name!r}; {suggestion(name, MODULES)}")
    track: Track[Any, Any] = import_module(MODULES[name]).TRACK
    return track
