"""`python -m peabench_tasks.with_side_channels FROM OUT [ID ...] [--jobs N]`: side channels for tasks made without.

FROM and OUT are folders with the checkpoints of a family each, `FAMILY/checkpoints`, as `tasks/peabench_tasks` is one.
Each task of FROM is given the side channels that training would give it, certified anew and written to OUT. A task of
OUT that has them, and a certificate that passed, is kept; one for which no draw passes is left as it was.
"""

import argparse
import logging
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from joblib import Parallel, delayed

from peabench.errors import PeabenchError
from peabench.networks import Network, Transformer
from peabench.tasks import Task, load_task
from peabench_tasks.planting.side_channels import DRAWS, certify_with_side_channels, with_side_channels
from peabench_tasks.production import certified_already
from peabench_tasks.programs.training import weight_seed_of

FAMILIES = ("programs", "name_mover")
FAILED = "no draw passed, left as it was"
SAME = 1e-4
"""How far weights may be apart that are the same draw's, computed on another machine."""


def main() -> int:
    """Write the tasks whose ids fit one of the globs; 1 if some have no side channels then."""
    parser = argparse.ArgumentParser(prog="python -m peabench_tasks.with_side_channels", description=__doc__)
    parser.add_argument("start", type=Path, metavar="FROM")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("globs", nargs="*", default=["*"], metavar="ID")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    try:
        folders = task_folders(asked.start, asked.globs)
        calls = (delayed(make)(folder, asked.out / folder.relative_to(asked.start)) for folder in folders)
        failed = 0
        for done, line in enumerate(Parallel(n_jobs=asked.jobs, return_as="generator_unordered")(calls), 1):
            sys.stdout.write(f"{done} of {len(folders)}: {line}\n")
            sys.stdout.flush()
            failed += line.endswith(FAILED)
    except PeabenchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return int(failed > 0)


def task_folders(root: Path, globs: list[str]) -> list[Path]:
    """The folders of the planted transformers whose ids fit one of the globs.

    Raises:
        PeabenchError: there is none.
    """
    found = [
        folder
        for family in FAMILIES
        for folder in sorted((root / family / "checkpoints").glob("*"))
        if any(fnmatchcase(f"{family}/{folder.name}", glob) for glob in globs)
    ]
    if not found:
        raise PeabenchError(
            f"Expected folders such as {root}/{FAMILIES[0]}/checkpoints/reverse-s-0 that fit {' '.join(globs)!r}, "
            "got none; name the folder that holds the families."
        )
    return found


def make(start: Path, out: Path) -> str:
    """Give one task its side channels; says what became of it.

    Raises:
        PeabenchError: it is no certified transformer with a freely trained twin.
    """
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    task = load_task(start)
    network, free = task.network(), task.twin("free")
    if not isinstance(network, Transformer) or free is None or not certified_already(task.record, start):
        raise PeabenchError(f"{start}: expected a certified transformer with a freely trained twin; train it first.")
    if (number := draw_of(task, network, out)) is not None:
        return f"{task.record.id}: has draw {number} already"
    twins: dict[str, Network] = {twin.file: free for twin in task.record.twins if twin.file}
    certify_with_side_channels(out, task.record, network, task.mechanism, twins, weight_seed_of(task.record))
    number = draw_of(task, network, out)
    return f"{task.record.id}: {FAILED if number is None else f'certified with draw {number} {tuple(DRAWS[number])}'}"


def draw_of(task: Task, network: Transformer, folder: Path) -> int | None:
    """Which draw of side channels for a task the certified one in a folder has, as its weights say."""
    if not certified_already(task.record, folder):
        return None
    there, seed = load_task(folder).network().state_dict(), weight_seed_of(task.record)
    for number in range(len(DRAWS)):
        mine = with_side_channels(network, task.mechanism, task.record.domain, seed, number).state_dict()
        if all(torch.allclose(mine[name], there[name], atol=SAME) for name in mine):
            return number
    return None


if __name__ == "__main__":
    sys.exit(main())
