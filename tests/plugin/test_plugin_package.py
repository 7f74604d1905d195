"""A plug-in package: installed with pip, it is found by its entry point."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from peabench.cli.app import build_app

PACKAGE = Path(__file__).parent / "package"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package, as it would into an environment."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PACKAGE, folder / "source")  # building leaves files beside the source
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), str(source)], check=True
    )
    return folder / "site"


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(site)


def peabench(*arguments: str) -> Any:
    """What `peabench` prints as JSON."""
    done = CliRunner().invoke(build_app(), [*arguments, "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_without_it_no_scorer_of_that_name_is_known() -> None:
    assert "constant-edges" not in {entry["name"] for entry in peabench("scorers")}


def test_the_scorer_of_an_installed_package_is_listed(installed: None) -> None:
    listing = {entry["name"]: entry for entry in peabench("scorers")}
    entry = listing["constant-edges"]
    assert (entry["track"], entry["version"], entry["origin"]) == ("circuits", "0.1.0", "plug-in")


def test_it_runs_by_its_name_and_the_same_score_for_all_edges_earns_nothing(installed: None, tmp_path: Path) -> None:
    arguments = ("run", "constant-edges", "--suite", "smoke", "--task", "*-0", "--out", str(tmp_path), "--jobs", "1")
    rows = {row["scorer"]: row for row in peabench(*arguments)}
    assert set(rows) == {"constant-edges", "oracle", "structural-null"}
    row = rows["constant-edges"]
    assert row["coverage"] == 1.0
    assert row["score"] <= 0.05
