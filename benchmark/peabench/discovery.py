"""Finding scorers: a track's own references, installed plug-ins, dotted names, and files."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from peabench.errors import PeabenchError
from peabench.identity import parameters, source_hash
from peabench.registry import SCORERS, load, registered, suggestion
from peabench.scorers import NAME, Role, Scorer

if TYPE_CHECKING:
    from peabench.tracks import Reference


DECLARED_KINDS = {"deterministic": bool, "needs_gradients": bool, "gauge_invariant": bool, "supervision": str}

Origin = Literal["track", "plug-in", "dotted name", "file"]


@dataclass(frozen=True)
class ScorerEntry:
    """A scorer that can be run: what its class declares, and where to load it again in another process."""

    name: str
    track: str
    version: str
    reference: str
    role: Role
    deterministic: bool
    needs_gradients: bool
    supervision: str
    origin: Origin
    location: str
    """`module:Class`, the path of a file, or the track whose reference it is."""
    class_name: str
    source_hash: str = ""
    """SHA-256 of its source, see `peabench.identity`; empty for a track's reference, whose track has a version."""
    parameters: str = ""
    """JSON of its parameters, see `peabench.identity`."""
    gauge_invariant: bool = False

    @property
    def content_hash(self) -> str:
        """SHA-256 of source and parameters; empty for a track's reference."""
        return hashlib.sha256(f"{self.source_hash}\n{self.parameters}".encode()).hexdigest() if self.source_hash else ""

    def create(self) -> "Scorer[Any, Any] | Reference":
        """A fresh scorer.

        Raises:
            PeabenchError: its source has changed since it was found, or is another one on this machine.
        """
        if self.origin == "track":
            return _reference(self.track, self.name)
        if self.origin == "file":
            scorer = getattr(_module_from_file(Path(self.location)), self.class_name, None)
        else:
            module_name, _, path = self.location.partition(":")
            scorer = _attribute(importlib.import_module(module_name), path)
        if not (inspect.isclass(scorer) and issubclass(scorer, Scorer)):
            raise PeabenchError(f"{self.location} no longer names a scorer; start the run again.")
        if source_hash(scorer) != self.source_hash:
            raise PeabenchError(
                f"{self.location} changed while the run was going on, or this machine has another version of it; "
                "start the run again with one version everywhere."
            )
        return scorer()


def references() -> list[ScorerEntry]:
    """The oracles, ceilings and nulls that every track brings with it."""
    from peabench import tracks

    return [
        ScorerEntry(
            name=reference.name,
            track=track,
            version=reference.version,
            reference=reference.reference,
            role=reference.role,
            deterministic=reference.deterministic,
            needs_gradients=False,
            supervision={"oracle": "truth", "ceiling": "labels from the truth"}.get(reference.role, "none"),
            origin="track",
            location=track,
            class_name=type(reference).__name__,
        )
        for track in tracks.names()
        for reference in tracks.get(track).references
    ]


def plug_ins() -> tuple[list[ScorerEntry], list[str]]:
    """Scorers of installed packages, and one sentence for each entry point that cannot be used."""
    entries, problems = [], []
    for point in registered(SCORERS):
        try:
            entries.append(_entry(load(point), "plug-in", point.value))
        except PeabenchError as error:
            problems.append(str(error))
    return entries, problems


def known_scorers() -> tuple[list[ScorerEntry], list[str]]:
    """References and plug-ins ordered by track and name, and one sentence for each plug-in that cannot be used.

    Raises:
        PeabenchError: two of them share a name on one track.
    """
    entries, problems = plug_ins()
    entries = sorted([*references(), *entries], key=lambda entry: (entry.track, entry.name))
    _refuse_clashes(entries)
    return entries, problems


def find_scorers(names: Sequence[str], track: str | None = None) -> tuple[list[ScorerEntry], list[str]]:
    """The scorers asked for: each by name or glob, as `package.module:Class`, or as the path of a `.py` file.

    No names means all known ones. With a track, those of other tracks are left out.

    Returns:
        The entries in the order of their tracks and names, and one sentence for each plug-in that could not be loaded.

    Raises:
        PeabenchError: a name is unknown, a file or class is no scorer, two scorers share a name, or none is left.
    """
    from peabench import tracks
    from peabench.isolation import quiet

    if track is not None and track not in tracks.names():
        raise PeabenchError(f"There is no track {track!r}; {suggestion(track, tracks.names())}")
    with quiet():
        known, problems = known_scorers()
    chosen: dict[tuple[str, str], ScorerEntry] = {}
    for name in names or ["*"]:
        with quiet():
            found = _named(name, known, problems)
        _refuse_clashes([*known, *(entry for entry in found if entry not in known)])
        chosen |= {(entry.track, entry.name): entry for entry in found}
    entries = [entry for entry in chosen.values() if track in (None, entry.track)]
    if not entries:
        raise PeabenchError(
            f"None of the scorers asked for answers the track {track!r}; `peabench scorers` lists them."
        )
    return sorted(entries, key=lambda entry: (entry.track, entry.name)), problems


def _named(name: str, known: Sequence[ScorerEntry], problems: Sequence[str]) -> list[ScorerEntry]:
    if name.endswith(".py"):
        return scorers_in_file(Path(name))
    if ":" in name:
        return [scorer_at(name)]
    found = [entry for entry in known if fnmatchcase(entry.name, name)]
    if not found and Path(name).is_file():
        raise PeabenchError(f"{name} is a file, but its name does not end in `.py`; rename it.")
    if not found:
        hint = suggestion(name, (entry.name for entry in known), "peabench scorers")
        raise PeabenchError(f"There is no scorer {name!r}; {hint} {' '.join(problems)}".rstrip())
    return found


def with_references(entries: Sequence[ScorerEntry]) -> list[ScorerEntry]:
    """Scorers together with the oracles and nulls of their tracks, which every score is read against."""
    asked = {entry.track for entry in entries}
    beside = [entry for entry in references() if entry.track in asked and entry not in entries]
    return sorted([*entries, *beside], key=lambda entry: (entry.track, entry.name))


def scorers_in_file(path: Path) -> list[ScorerEntry]:
    """Every concrete `Scorer` that a Python file defines. The file must stand alone: its folder is not importable.

    Raises:
        PeabenchError: the file is missing, fails to import, or defines no complete scorer.
    """
    module = _module_from_file(path)
    found = [
        _entry(value, "file", str(path.resolve()))
        for value in vars(module).values()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and issubclass(value, Scorer)
        and not inspect.isabstract(value)
    ]
    if not found:
        raise PeabenchError(f"{path} defines no scorer: expected a subclass of peabench.Scorer with a `score` method.")
    _refuse_clashes(found)
    return found


def scorer_at(dotted: str) -> ScorerEntry:
    """The scorer named `package.module:Class`.

    Raises:
        PeabenchError: there is no such module or class, or it is no complete scorer.
    """
    module_name, _, path = dotted.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise PeabenchError(f"{module_name!r} could not be imported: {_brief(error)}.") from error
    return _entry(_attribute(module, path), "dotted name", dotted)


def entry_of(scorer: type[Scorer[Any, Any]]) -> ScorerEntry:
    """The entry of a class that is at hand, wherever it is defined.

    Raises:
        PeabenchError: it is no complete scorer.
    """
    return _entry(scorer, "dotted name", f"{scorer.__module__}:{scorer.__qualname__}")


def _entry(scorer: object, origin: Origin, location: str) -> ScorerEntry:
    """The entry of a scorer class, once it is known to fulfil the contract."""
    from peabench import tracks

    if not (inspect.isclass(scorer) and issubclass(scorer, Scorer)):
        raise PeabenchError(f"{location} must name a subclass of peabench.Scorer, but is a {type(scorer).__name__}.")
    label = f"{scorer.__name__} in {location}" if origin == "file" else location
    if inspect.isabstract(scorer):
        raise PeabenchError(f"The scorer {label} lacks the method {', '.join(sorted(scorer.__abstractmethods__))}.")
    for attribute in ("name", "track", "reference", "version"):
        value = getattr(scorer, attribute, None)
        if not isinstance(value, str) or not value or not value.isprintable():
            came = "lacks it" if value is None else f"has {value!r}"
            raise PeabenchError(f"The scorer {label} must declare `{attribute}` as a text, but {came}.")
    if not NAME.fullmatch(scorer.name):
        raise PeabenchError(
            f"The scorer {label} is named {scorer.name!r}; use lower-case letters, digits, '.', '_', '-', at most 64."
        )
    for attribute, kind in DECLARED_KINDS.items():
        if not isinstance(getattr(scorer, attribute), kind):
            came = repr(getattr(scorer, attribute))
            raise PeabenchError(f"The scorer {label} must declare `{attribute}` as a {kind.__name__}, but has {came}.")
    if scorer.track not in tracks.names():
        hint = suggestion(scorer.track, tracks.names())
        raise PeabenchError(f"The scorer {label} is of the unknown track {scorer.track!r}; {hint}")
    if scorer.role != "method" and (scorer.role != "null" or scorer.name not in tracks.get(scorer.track).nulls):
        raise PeabenchError(
            f"The scorer {label} has the role {scorer.role!r}; leave it at 'method': "
            f"oracles and nulls are named by the track {scorer.track} itself."
        )
    return ScorerEntry(
        name=scorer.name,
        track=scorer.track,
        version=scorer.version,
        reference=scorer.reference,
        role=scorer.role,
        deterministic=scorer.deterministic,
        needs_gradients=scorer.needs_gradients,
        supervision=scorer.supervision,
        origin=origin,
        location=location,
        class_name=scorer.__name__,
        source_hash=source_hash(scorer),
        parameters=parameters(scorer),
        gauge_invariant=scorer.gauge_invariant,
    )


def _module_from_file(path: Path) -> ModuleType:
    """A file as a module named after its content."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise PeabenchError(
            f"{path} could not be read ({error.strerror}); give the path of a scorer's file."
        ) from error
    name = f"peabench_scorer_file_{hashlib.sha256(source).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PeabenchError(f"{path} is not a Python file; give the path of a scorer's `.py` file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise PeabenchError(f"{path} could not be imported: {_brief(error)}.") from error
    return module


def _attribute(module: ModuleType, path: str) -> object:
    value: object = module
    for part in path.split("."):
        if not hasattr(value, part):
            known = (name for name, item in vars(module).items() if inspect.isclass(item))
            raise PeabenchError(f"{module.__name__} has no {path!r}; {suggestion(path, known)}")
        value = getattr(value, part)
    return value


def _reference(track: str, name: str) -> "Reference":
    from peabench import tracks

    return next(reference for reference in tracks.get(track).references if reference.name == name)


def _refuse_clashes(entries: Iterable[ScorerEntry]) -> None:
    seen: dict[tuple[str, str], ScorerEntry] = {}
    for entry in entries:
        other = seen.setdefault((entry.track, entry.name), entry)
        if other is not entry:
            raise PeabenchError(
                f"Two scorers of the track {entry.track} are named {entry.name!r} "
                f"({other.origin} {other.location} and {entry.origin} {entry.location}); rename one of them."
            )


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")
