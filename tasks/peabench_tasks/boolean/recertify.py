"""`python -m peabench_tasks.boolean.recertify [GLOB]`: measure shipped tasks again, write their certificates and cards.

For when the checks have changed and the weights have not; a task that does not pass loses its certificate.
"""

import sys
from pathlib import Path

import torch
from joblib import Parallel, delayed

from peabench.catalogue import matching
from peabench.certification import certify
from peabench.tasks import CERTIFICATE_FILE, load_task
from peabench_tasks.boolean.family import BOOLEAN
from peabench_tasks.card import write_certificate
from peabench_tasks.commands import run


def recertify(folder: Path) -> str | None:
    """Name of the task where a check fails."""
    torch.set_num_threads(1)
    (folder / CERTIFICATE_FILE).unlink(missing_ok=True)
    task = load_task(folder)
    task.mechanism.save(folder)
    checks = certify(task)
    if not all(check.passed for check in checks):
        return folder.name
    write_certificate(folder, checks)
    return None


def main() -> int:
    """1 if a task does not pass."""
    names = sorted(folder.name for folder in BOOLEAN.checkpoints.iterdir())
    folders = [BOOLEAN.checkpoints / name for name in matching(names, sys.argv[1:] or ["*"])]
    failed = list(filter(None, Parallel(n_jobs=2)(delayed(recertify)(folder) for folder in folders)))
    if failed:
        sys.stderr.write(f"{len(failed)} of {len(folders)} tasks do not pass: {', '.join(failed)}\n")
    return int(bool(failed))


if __name__ == "__main__":
    run(main)
