"""`python -m peabench_tasks.boolean.recertify [GLOB]`: measure shipped tasks again, write their certificates and cards.

For when the checks have changed and the weights have not; a task that does not pass loses its certificate.
"""

import sys
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from joblib import Parallel, delayed

from peabench.certification import certify
from peabench.tasks import CERTIFICATE_FILE, load_task
from peabench_tasks.boolean.family import BOOLEAN
from peabench_tasks.card import write_certificate


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


def main() -> None:
    """Exit 1 if a task does not pass."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "*"
    folders = [folder for folder in sorted(BOOLEAN.checkpoints.iterdir()) if fnmatchcase(folder.name, wanted)]
    failed = list(filter(None, Parallel(n_jobs=2)(delayed(recertify)(folder) for folder in folders)))
    if failed:
        sys.exit(f"{len(failed)} of {len(folders)} tasks do not pass: {', '.join(failed)}")


if __name__ == "__main__":
    main()
