"""From a size of a derived family to its tasks: train several starts, explain each, keep those that are certified."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from peabench.certification import certify
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism
from peabench.networks import Transformer, TransformerConfig
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, Twin, load_task, save_task
from peabench_tasks.card import write_certificate
from peabench_tasks.derived.free_training import Answers, Draw, Recipe, Trained, train_freely
from peabench_tasks.production import make_all

SEEDS = 3
EXAMPLES = 2048

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Study:
    """One size of a family: network, domain, how it is trained and how what comes out is explained."""

    family: str
    variant: str
    size: str
    network: TransformerConfig
    domain: ProductDomain
    recipe: Recipe
    draw: Draw
    answers: Answers
    explain: Callable[[Transformer], Mechanism]
    description: str
    starts: int
    """Networks that are trained; the first three whose explanation is certified become tasks."""
    focus: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ("circuits", "variables")

    def name(self, index: int) -> str:
        """Second part of a task's id."""
        return f"{self.variant}-{self.size}-{index}"

    def record(self, index: int, start: int, seed: int, rejected: Sequence[str]) -> TaskRecord:
        """What `task.json` says, the fate of earlier starts included."""
        fate = f"Start {start + 1} of {self.starts}."
        if rejected:
            fate += f" Thrown out before it: {'; '.join(rejected)}."
        return TaskRecord(
            id=f"{self.family}/{self.name(index)}",
            family=self.family,
            variant=self.variant,
            size=self.size,
            seed=index,
            provenance="derived",
            tracks=self.tracks,
            network=self.network,
            domain=self.domain,
            domain_size=self.domain.size,
            examples=EXAMPLES,
            focus=self.focus,
            description=f"{self.description} {fate}",
            twins=(
                Twin(name="halfway", provenance="halfway", file="halfway.safetensors"),
                Twin(name="random", provenance="random_init", seed=self.weight_seed(start, seed)),
            ),
        )

    def weight_seed(self, start: int, seed: int) -> int:
        """Seed of a start's initial weights."""
        order: int = sum(ord(letter) * 31**i for i, letter in enumerate(self.family + self.size)) % 9973
        return 1_000_000 * (seed + 1) + 100 * order + start


def train_studies(
    studies: Sequence[Study],
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool = False,
) -> None:
    """Make tasks of a derived family, one process per size; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or a size has fewer certified networks than seeds; those it has are written.
    """
    family = studies[0].family
    chosen = [(study, wanted) for study in studies if (wanted := _wanted(study, only))]
    if not chosen:
        raise PeabenchError(f"No task of the {family} family matches {only!r}; try '{studies[0].name(0)}'.")
    if resume:
        chosen = [(s, w) for s, w in chosen if not all(_certified(out / s.name(i)) for i in w)]
    make_all(family, chosen, partial(make, out=out, seed=seed), progress, sum(len(w) for _, w in chosen))


def make(job: tuple[Study, Sequence[int]], out: Path, seed: int) -> tuple[int, list[str]]:
    """Train all starts of a size and make its wanted tasks; how many, and what is wrong with those missing."""
    study, wanted = job
    torch.set_num_threads(1)
    seeds = [study.weight_seed(start, seed) for start in range(study.starts)]
    trained = train_freely(study.network, seeds, study.draw, study.answers, study.recipe)
    return len(wanted), certified_tasks(study, trained, wanted, out, seed)


def certified_tasks(study: Study, trained: Trained, wanted: Sequence[int], out: Path, seed: int) -> list[str]:
    """Explain and certify the starts in turn, and write the wanted tasks; what is wrong with those missing."""
    out.mkdir(parents=True, exist_ok=True)
    rejected: list[str] = []
    made = 0
    for start, network in enumerate(trained.networks):
        if made > max(wanted):
            break
        name = study.name(made)
        mechanism = study.explain(network.eval().requires_grad_(False))
        record = study.record(made, start, seed, rejected)
        with TemporaryDirectory(dir=out, prefix=f".{name}.") as folder:
            path = Path(folder) / name
            save_task(path, record, network, mechanism, {"halfway.safetensors": trained.halfway[start]})
            checks = certify(load_task(path))
            failures = [f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed]
            if not failures and made in wanted:
                write_certificate(path, checks)
                shutil.rmtree(out / name, ignore_errors=True)
                path.rename(out / name)
        if failures:
            log.warning("%s, start %d: %s", name, start, "; ".join(failures))
            rejected.append(f"start {start + 1} ({', '.join(failure.partition(':')[0] for failure in failures)})")
        made += not failures
    return [f"{study.name(i)} ({'; '.join(rejected)})" for i in wanted if i >= made]


def _wanted(study: Study, only: str | None) -> list[int]:
    """Which of a size's tasks match."""
    pattern = (only or "*").removeprefix(f"{study.family}/")
    return [index for index in range(SEEDS) if fnmatchcase(study.name(index), pattern)]


def _certified(folder: Path) -> bool:
    return (folder / CERTIFICATE_FILE).exists() and all(check.passed for check in load_task(folder).certificate)
