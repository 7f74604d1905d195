"""The SLURM example of docs/running.md, copied from the page, runs where `sbatch` and `scancel` act as SLURM's do."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from peabench.results import read_all

PAGE = Path(__file__).parents[1] / "docs" / "running.md"

SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" "$SLURM_FOLDER/job"
setsid bash "$SLURM_FOLDER/job" > "$SLURM_FOLDER/log" 2>&1 < /dev/null &
echo $! > "$SLURM_FOLDER/id"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for id; do kill -- "-$id"; done
"""
PEABENCH = f"""#!/bin/sh
exec {sys.executable} -c 'from peabench.cli.app import main; main()' "$@"
"""


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment with commands that run a job here at once; also `peabench`, which need not be on the path."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("peabench", PEABENCH)):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(text)
        command.chmod(0o755)
    python_path = os.pathsep.join(filter(None, sys.path))
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": python_path, "SLURM_FOLDER": str(tmp_path)}


def test_the_slurm_example_runs(tmp_path: Path, slurm: dict[str, str]) -> None:
    pytest.importorskip("dask_jobqueue")
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    example, jobs = re.subn(r"scale\(jobs=5\)", "scale(jobs=1)", example)
    example, workers = re.subn(r"(cores|processes)=8", r"\1=1", example)
    assert (jobs, workers) == (1, 2)
    (tmp_path / "slurm_run.py").write_text(example)
    arguments = ["random-edges", "--suite", "smoke", "--task", "*tree-xs-0", "--out", str(tmp_path / "out")]
    command = [sys.executable, "slurm_run.py", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=slurm, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "random-edges" in done.stdout
    assert "#SBATCH -p cpu" in (tmp_path / "job").read_text()
    results, problems = read_all(tmp_path / "out")
    assert ([result.status for result in results], problems) == (["ok"] * 3, [])
