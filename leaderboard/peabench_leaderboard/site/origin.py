"""Where results come from: the commit that they were made at."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from peabench.results import CellResult

SHORT = 12


def commit_of(results: Iterable[CellResult], folder: Path) -> str:
    """What the results were made from: the commits that they name, else the one that last changed their folder, else
    the versions of Peabench that they name.
    """
    environments = [result.environment for result in results]
    named = sorted({_shortened(environment["commit"]) for environment in environments if environment.get("commit")})
    if named:
        return ", ".join(named)
    versions = sorted({environment["peabench"] for environment in environments if environment.get("peabench")})
    return _last_change(folder) or (f"unknown (version {', '.join(versions)})" if versions else "unknown")


def _shortened(commit: str) -> str:
    """A commit's first digits, and the mark that its code was changed."""
    digits, plus, mark = commit.partition("+")
    return digits[:SHORT] + plus + mark


def _last_change(folder: Path) -> str:
    """The commit that last changed a folder; empty outside a checkout."""
    command = ["git", "-C", str(folder), "log", "-1", f"--abbrev={SHORT}", "--format=%h", "--", "."]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
