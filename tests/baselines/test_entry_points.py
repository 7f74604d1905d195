"""Every module of a method is registered, and every registration names its scorer."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from peabench import tracks
from peabench.scorers import Scorer

ROOT = Path(__file__).parents[2]
POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["peabench.scorers"]


@pytest.mark.parametrize("name", POINTS)
def test_an_entry_point_names_a_scorer_of_that_name(name: str) -> None:
    module, _, attribute = POINTS[name].partition(":")
    scorer = getattr(import_module(module), attribute)
    assert issubclass(scorer, Scorer)
    assert scorer.name == name
    assert module.split(".")[1] == scorer.track
    assert scorer.reference


def test_no_method_is_forgotten() -> None:
    registered = {value.partition(":")[0] for value in POINTS.values()}
    for file in (ROOT / "baselines" / "peabench_baselines").glob("*/*.py"):
        module = import_module(f"peabench_baselines.{file.parent.name}.{file.stem}")
        own = [
            item
            for item in vars(module).values()
            if isinstance(item, type) and issubclass(item, Scorer) and item.__module__ == module.__name__
        ]
        complete = [item for item in own if not getattr(item, "__abstractmethods__", None)]
        assert bool(complete) == (module.__name__ in registered), module.__name__


def test_the_nulls_of_a_track_are_the_scorers_that_call_themselves_so() -> None:
    named = {name for track in tracks.names() for name in tracks.get(track).nulls}
    points = {name: value.partition(":") for name, value in POINTS.items()}
    roles = {name: getattr(import_module(module), scorer).role for name, (module, _, scorer) in points.items()}
    assert {name for name, role in roles.items() if role == "null"} == named
    assert {"logit-similarity", "logit-spectrum", "off-distribution"} <= named
