"""What a scorer is made of: the source that its answers come from, and its parameters."""

import ast
import hashlib
import importlib.util
import inspect
import json
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from peabench.errors import InvalidAnswer
from peabench.scorers import Scorer

DECLARED = frozenset(name for name in (*vars(Scorer), *Scorer.__annotations__) if not name.startswith("_"))
"""What every scorer declares; it stands in a result's key already, or changes no answer."""


@cache
def source_hash(scorer: type) -> str:
    """SHA-256 of the source that a class's answers come from, as it was when this process first asked for it.

    That is its module, its base classes' modules, and all that they import from their own packages, except Peabench
    itself, whose tracks have versions. Libraries are not in it.
    """
    files: dict[str, bytes] = {}
    for base in scorer.__mro__:
        package = base.__module__.partition(".")[0]
        if package != "peabench" and package not in sys.stdlib_module_names:
            _gather(base.__module__, files, package)
    digests = (f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items()))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def parameters(scorer: type) -> str:
    """What a scorer class sets beside its declared metadata, and the defaults of its constructor, as JSON.

    >>> class Probe:
    ...     steps = 300
    ...     def __init__(self, rate: float = 0.1) -> None: ...
    >>> parameters(Probe)
    '{"rate": 0.1, "steps": 300}'
    """
    found: dict[str, Any] = {}
    for base in reversed(scorer.__mro__):
        if base is not Scorer and base.__module__ not in ("abc", "builtins", "typing"):
            found |= {name: value for name, value in vars(base).items() if _is_parameter(name, value)}
    with suppress(TypeError, ValueError):  # of a class without a readable constructor
        arguments = inspect.signature(scorer).parameters.values()
        found |= {argument.name: argument.default for argument in arguments if argument.default is not argument.empty}
    return json.dumps({name: _plain(found[name]) for name in sorted(found)})


def _gather(module: str, files: dict[str, bytes], package: str) -> None:
    """Add the sources of a module and of what it imports, where they belong to the package."""
    file = _file_of(module) if module not in files and module.partition(".")[0] == package else None
    if file is None:
        return
    files[module] = file.read_bytes()
    if file.suffix == ".py":
        for name in _imports(module, file.name == "__init__.py", files[module]):
            _gather(name, files, package)


def _file_of(module: str) -> Path | None:
    try:
        spec = sys.modules[module].__spec__ if module in sys.modules else importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    file = Path(spec.origin) if spec and spec.origin else None
    return file if file and file.is_file() else None


@cache
def _imports(module: str, is_package: bool, source: bytes) -> tuple[str, ...]:
    """Names that a module imports, and the modules that they are in."""
    package = module if is_package else module.rpartition(".")[0]
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = importlib.util.resolve_name("." * node.level, package) if node.level else ""
            origin = ".".join(part for part in (start, node.module) if part)
            found += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    return tuple(found)


def _is_parameter(name: str, value: object) -> bool:
    code = callable(value) or hasattr(value, "__get__")
    return not name.startswith("_") and name not in DECLARED and not code


def _plain(value: object) -> Any:
    """A value as JSON can hold it: as it is, or else what tells it from others of its type."""
    from peabench.results import answer_hash

    with suppress(TypeError, ValueError):
        return json.loads(json.dumps(value))
    try:
        return f"sha256:{answer_hash(value)}"
    except InvalidAnswer:
        kind = value if callable(value) else type(value)
        return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', repr(kind))}"
