"""The paths on which people wait: they do without torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from peabench.results import CellResult, save

PROGRAM = """
import sys
from peabench.cli.app import main
sys.argv = ["peabench", *sys.argv[1:]]
try:
    main()
except SystemExit as exit:
    code = exit.code
print(code, *(name for name in ("torch", "numpy", "scipy", "huggingface_hub") if name in sys.modules), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> list[str]:
    """Exit code of `peabench` with these arguments, and the heavy packages that it imported."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("tasks",), ("tasks", "--json"), ("run", "--help"), ("download", "--help"), ("publish", "--help")],
)
def test_help_and_listing_do_without_heavy_packages(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) == ["0"]


def test_importing_the_package_does_without_heavy_packages() -> None:
    program = "import peabench, peabench.hub, sys; print(*({'torch', 'numpy', 'huggingface_hub'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_leaderboard_does_without_torch(tmp_path: Path) -> None:
    key = {"track": "circuits", "track_version": 1, "scorer": "s", "scorer_version": "1", "source_hash": ""}
    key |= {"task": "f/a-s-0", "content_hash": "0", "others_hash": "", "seed": 0, "device": "cpu"}
    cost = {"forward_passes": 1, "backward_passes": 0, "wall_seconds": 0.1, "peak_memory_bytes": 0}
    fields = {"key": key, "role": "method", "suite": "core 1", "status": "ok", "metrics": {"score": 0.5}, "cost": cost}
    save(CellResult.model_validate(fields), tmp_path)
    code, *heavy = loaded_by("leaderboard", "--results", str(tmp_path))
    assert code == "0"
    assert "torch" not in heavy


def test_debug_is_an_option_only_before_the_end_of_options() -> None:
    assert loaded_by("tasks", "--debug")[0] == "0"
    assert loaded_by("tasks", "--", "--debug")[0] == "2"  # no task matches it
