"""The paths on which people wait: they do without torch."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from peabench.cli.app import main
sys.argv = ["peabench", *sys.argv[1:]]
try:
    main()
except SystemExit as exit:
    code = exit.code
print(code, *(name for name in ("torch", "numpy", "scipy") if name in sys.modules), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> list[str]:
    """Exit code of `peabench` with these arguments, and the heavy packages that it imported."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize("arguments", [("--help",), ("tasks",), ("tasks", "--json"), ("run", "--help")])
def test_help_and_listing_do_without_heavy_packages(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) == ["0"]


def test_the_leaderboard_does_without_torch(tmp_path: object) -> None:
    assert "torch" not in loaded_by("leaderboard")
