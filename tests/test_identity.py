"""What a scorer is made of: a change of its source or of its parameters is noticed, one elsewhere is not."""

import dataclasses
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from peabench.identity import parameters, source_hash

SCORER = """
from lab.shared import base
from . import near
import torch

class Mine(base.Base):
    def late(self):
        from lab import seldom
"""

Hash = Callable[..., str]


@pytest.fixture
def hash_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hash:
    """The hash of a scorer of the package `lab` when some of its files have another text."""
    monkeypatch.syspath_prepend(tmp_path)

    def hashed(**texts: str) -> str:
        files = {
            "lab/__init__.py": "",
            "lab/methods.py": SCORER,
            "lab/near.py": "import os",
            "lab/seldom.py": "",
            "lab/unrelated.py": "",
            "lab/shared/__init__.py": "",
            "lab/shared/base.py": "import library\nclass Base: ...",
            "library.py": "",
        }
        files |= {f"{name.replace('__', '/')}.py": text for name, text in texts.items()}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("lab", "library")]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        return source_hash(importlib.import_module("lab.methods").Mine)

    return hashed


def test_the_same_source_has_the_same_hash(hash_with: Hash) -> None:
    assert hash_with() == hash_with()


@pytest.mark.parametrize("module", ["methods", "near", "seldom", "shared__base"])
def test_a_change_of_the_module_or_of_what_it_imports_from_its_package_is_noticed(hash_with: Hash, module: str) -> None:
    text = {"methods": SCORER, "shared__base": "import library\nclass Base: ..."}.get(module, "")
    assert hash_with(**{f"lab__{module}": text + "\n# changed\n"}) != hash_with()


@pytest.mark.parametrize("module", ["lab__unrelated", "library"])
def test_what_it_does_not_import_and_libraries_are_no_part_of_it(hash_with: Hash, module: str) -> None:
    assert hash_with(**{module: "# changed\n"}) == hash_with()


def test_a_base_class_of_another_package_is_a_part_of_it(hash_with: Hash) -> None:
    def inherited(text: str) -> str:
        hash_with(library=text)
        library = importlib.import_module("library")
        return source_hash(type("Own", (library.Base,), {"__module__": "lab.methods"}))

    assert inherited("class Base: ...") == inherited("class Base: ...")
    assert inherited("class Base: ...") != inherited("class Base: ...\n# changed\n")


class Plain:
    name = "declared, and so no parameter"
    steps = 300
    rate = 0.1
    start = torch.ones(2)
    _private = 1

    def score(self) -> None: ...


def test_parameters_are_the_data_that_a_class_sets() -> None:
    found = json.loads(parameters(Plain))
    assert set(found) == {"steps", "rate", "start"}
    assert (found["steps"], found["rate"]) == (300, 0.1)


def test_other_parameters_tell_two_scorers_apart() -> None:
    several = [
        Plain,
        type("Plain", (Plain,), {"steps": 301}),
        type("Plain", (Plain,), {"start": torch.zeros(2)}),
        type("Plain", (Plain,), {"extra": None}),
    ]
    assert len({parameters(scorer) for scorer in several}) == 4
    assert parameters(type("Other", (Plain,), {"score": print, "helper": int})) == parameters(Plain)


def test_defaults_of_the_constructor_are_parameters() -> None:
    @dataclasses.dataclass
    class Fields:
        steps: int = 3
        sizes: list[int] = dataclasses.field(default_factory=list)

    class Constructed:
        def __init__(self, rate: float = 0.5, **others: float) -> None: ...

    assert json.loads(parameters(Fields))["steps"] == 3
    assert json.loads(parameters(Constructed)) == {"rate": 0.5}
    assert parameters(Fields) == parameters(Fields)
