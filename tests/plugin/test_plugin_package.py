"""A plug-in package: installed with pip, it is found by its entry point."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package, as it would into an environment."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PACKAGE, folder / "source")  # building leaves files beside the source
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), str(source)], check=True
    )
    return folder / "site"


def peabench(installed: Path, *arguments: str) -> str:
    """Standard output of `peabench` where the plug-in is installed."""
    program = "import sys; from peabench.cli.app import main; main()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_scorer_of_an_installed_package_is_listed(installed: Path) -> None:
    listing = {entry["name"]: entry for entry in json.loads(peabench(installed, "scorers", "--json"))}
    entry = listing["constant-edges"]
    assert (entry["track"], entry["version"], entry["origin"]) == ("circuits", "0.1.0", "plug-in")


def test_it_runs_by_its_name_and_the_same_score_for_all_edges_earns_nothing(installed: Path, tmp_path: Path) -> None:
    arguments = ("run", "constant-edges", "--suite", "smoke", "--out", str(tmp_path), "--jobs", "1", "--json")
    rows = {row["scorer"]: row for row in json.loads(peabench(installed, *arguments))}
    assert set(rows) == {"constant-edges", "oracle", "structural-null"}
    row = rows["constant-edges"]
    assert row["coverage"] == 1.0
    assert row["score"] <= 0.05
