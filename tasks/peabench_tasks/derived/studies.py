"""From a size of a derived family to its tasks: train several starts, explain each, keep those that are certified."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from joblib import Parallel, delayed

from peabench.certification import Check, certify, certify_network
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism
from peabench.networks import Transformer, TransformerConfig, build_network
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, Twin, load_task, save_task
from peabench_tasks.card import write_certificate
from peabench_tasks.derived.free_training import Answers, Draw, Recipe, Trained, train_freely

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
        order = sum(ord(letter) * 31**i for i, letter in enumerate(self.family + self.size)) % 9973
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
    progress(family, 0.0)
    runs = Parallel(n_jobs=2, return_as="generator_unordered")(delayed(make)(s, w, out, seed) for s, w in chosen)
    failed = list[str]()
    for done, problems in enumerate(runs):
        failed += problems
        progress(family, (done + 1) / len(chosen))
    if failed:
        raise PeabenchError(f"Tasks were not made: {'; '.join(failed)}; train again with another seed.")
    progress(family, 1.0)


def make(study: Study, wanted: Sequence[int], out: Path, seed: int) -> list[str]:
    """Train all starts of a size, certify them in turn, and write the wanted tasks; what is wrong with those missing."""
    torch.set_num_threads(1)
    seeds = [study.weight_seed(start, seed) for start in range(study.starts)]
    return certified_tasks(study, train_freely(study.network, seeds, study.draw, study.answers, study.recipe), wanted, out, seed)


def certified_tasks(study: Study, trained: Trained, wanted: Sequence[int], out: Path, seed: int) -> list[str]:
    """Explain and certify the starts in turn, and write the wanted tasks; what is wrong with those missing."""
    rejected: list[str] = []
    made = 0
    for start, network in enumerate(trained.networks):
        if made > max(wanted):
            break
        mechanism = study.explain(network.eval().requires_grad_(False))
        twin = build_network(study.network, torch.Generator().manual_seed(study.weight_seed(start, seed)))
        halfway = trained.halfway[start].eval().requires_grad_(False)
        failures = list(_failures(certify_network(network, mechanism, study.domain, twin.eval(), halfway)))
        if failures:
            log.warning("%s, start %d: %s", study.name(made), start, "; ".join(failures))
            rejected.append(f"start {start + 1} ({', '.join(failure.partition(':')[0] for failure in failures)})")
            continue
        if made in wanted:
            folder = out / study.name(made)
            (folder / CERTIFICATE_FILE).unlink(missing_ok=True)
            record = study.record(made, start, seed, rejected)
            save_task(folder, record, network, mechanism, {"halfway.safetensors": halfway})
            write_certificate(folder, certify(load_task(folder)))
        made += 1
    return [f"{study.name(i)} ({'; '.join(rejected)})" for i in wanted if i >= made]


def _failures(checks: Sequence[Check]) -> Iterator[str]:
    for check in checks:
        if not check.passed:
            yield f"{check.name}: {check.errors} of {check.cases}"


def _wanted(study: Study, only: str | None) -> list[int]:
    """Which of a size's tasks match."""
    pattern = (only or "*").removeprefix(f"{study.family}/")
    return [index for index in range(SEEDS) if fnmatchcase(study.name(index), pattern)]


def _certified(folder: Path) -> bool:
    return (folder / CERTIFICATE_FILE).exists() and all(check.passed for check in load_task(folder).certificate)
