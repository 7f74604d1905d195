"""`python -m peabench_tasks.with_side_channels FROM OUT [ID ...] [--jobs N]`: side channels for tasks certified without.

FROM and OUT are folders with the checkpoints of a family each, `FAMILY/checkpoints`, as `tasks/peabench_tasks` is one.
Each task of FROM is given the side channels that training would give it, certified anew and written to OUT. A task of
OUT that has them, and a certificate that passed, is kept; one for which no draw passes is left as it was.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from joblib import Parallel, delayed

from peabench.errors import PeabenchError
from peabench.networks import Network, Transformer
from peabench.tasks import CERTIFICATE_FILE, Task, load_task
from peabench_tasks.name_mover.specifications import name_mover_specifications
from peabench_tasks.planting.side_channels import DRAWS, certify_with_side_channels, with_side_channels
from peabench_tasks.production import certified_already
from peabench_tasks.programs.specifications import Specification, specifications
from peabench_tasks.programs.training import task_record

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
        wanted = list(_wanted(asked.start, asked.globs))
    except PeabenchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    calls = (delayed(make)(specification, asked.start, asked.out) for specification in wanted)
    failed = 0
    for done, line in enumerate(Parallel(n_jobs=asked.jobs, return_as="generator_unordered")(calls), 1):
        sys.stdout.write(f"{done} of {len(wanted)}: {line}\n")
        sys.stdout.flush()
        failed += FAILED in line
    return int(failed > 0)


FAILED = "no draw passed, left as it was"


def _wanted(start: Path, globs: list[str]) -> Iterator[Specification]:
    found = False
    for specification in (*specifications(), *name_mover_specifications()):
        if any(fnmatchcase(f"{specification.family}/{specification.name}", glob) for glob in globs):
            found = True
            if not certified_already(task_record(specification, 0), checkpoint(start, specification)):
                raise PeabenchError(
                    f"Expected a certified task {specification.family}/{specification.name} of training seed 0 in "
                    f"{checkpoint(start, specification)}, got none; train it first."
                )
            yield specification
    if not found:
        raise PeabenchError(f"No planted transformer matches {' '.join(globs)!r}; try 'programs/reverse-s-0'.")


def checkpoint(root: Path, specification: Specification) -> Path:
    """The task's folder."""
    return root / specification.family / "checkpoints" / specification.name


def make(specification: Specification, start: Path, out: Path) -> str:
    """Give one task its side channels; says what became of it."""
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    task, folder = load_task(checkpoint(start, specification)), checkpoint(out, specification)
    seed = specification.weight_seed(0)
    if (number := draw_of(task, folder, seed)) is not None:
        return f"{task.record.id}: has draw {number} already"
    network, free = task.network(), task.twin("free")
    if not isinstance(network, Transformer) or free is None:
        raise PeabenchError(f"{task.record.id}: expected a transformer with a freely trained twin; train it first.")
    twins: dict[str, Network] = {t.file: free for t in task.record.twins if t.file}
    certify_with_side_channels(folder, task.record, network, task.mechanism, twins, seed)
    number = draw_of(task, folder, seed)
    return f"{task.record.id}: {FAILED if number is None else f'certified with draw {number} {tuple(DRAWS[number])}'}"


def draw_of(task: Task, folder: Path, seed: int) -> int | None:
    """Which draw of side channels for a task the certified one in a folder has, as its weights say."""
    if not (folder / CERTIFICATE_FILE).exists() or not certified_already(task.record, folder):
        return None
    network, there = task.network(), load_task(folder).network().state_dict()
    if not isinstance(network, Transformer):
        return None
    for number in range(len(DRAWS)):
        mine = with_side_channels(network, task.mechanism, task.record.domain, seed, number).state_dict()
        if all(torch.allclose(mine[name], there[name], atol=SAME) for name in mine):
            return number
    return None


if __name__ == "__main__":
    sys.exit(main())
