"""From the variants of the family to its tasks: train starts, explain each, keep those that are certified."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from peabench.certification import Check, certify
from peabench.certification.adder import Adder
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism
from peabench.networks import Network
from peabench.tasks import TaskRecord, Twin, companion_folder, frozen, load_task, save_task
from peabench_tasks.card import write_certificate
from peabench_tasks.modular.free_training import train_freely
from peabench_tasks.modular.mechanism import Frequencies, explain, key_frequencies
from peabench_tasks.modular.specifications import STUDIES, Study, Variant
from peabench_tasks.production import certified_folder

FAMILY = "modular"
EXAMPLES = 1024
STATES = ".states"
"""Folder of trainings, from which one that was stopped goes on."""
HALFWAY = "halfway.safetensors"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """One trained network and the same one halfway."""

    study: Study
    number: int
    seed: int
    steps: int
    network: Network
    halfway: Network

    @property
    def adder(self) -> Adder:
        """The network on all pairs."""
        return Adder.of(self.network, self.study.modulus, self.study.sign)


@dataclass(frozen=True)
class Certified:
    """A start that is certified."""

    start: Start
    mechanism: Mechanism
    rejected: tuple[str, ...]
    """What became of the starts before it."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make tasks of the family; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or a variant has fewer certified networks than tasks; those it has are written.
    """
    pattern = (only or "*").removeprefix(f"{FAMILY}/")
    wanted = {(s.variant, i) for s in STUDIES for i in range(s.tasks) if fnmatchcase(s.name(i), pattern)}
    if not wanted:
        raise PeabenchError(f"No task of the {FAMILY} family matches {only!r}; try '{STUDIES[0].name(0)}'.")
    if resume:
        wanted = {(v, i) for v, i in wanted if not certified_folder(out / f"{v}-s-{i}")}
    torch.set_num_threads(1)
    # a task of either form has networks of both beside its own
    variants = {v for v, _ in wanted} | ({"clock", "pizza"} if {v for v, _ in wanted} & {"clock", "pizza"} else set())
    studies = [study for study in STUDIES if study.variant in variants]
    if not resume:
        shutil.rmtree(out / STATES, ignore_errors=True)
    (out / STATES).mkdir(parents=True, exist_ok=True)
    made: dict[Variant, list[Certified]] = {}
    for done, study in enumerate(studies):
        progress(FAMILY, done / (len(studies) + 1))
        made[study.variant] = certified(study, seed, out / STATES)
    progress(FAMILY, len(studies) / (len(studies) + 1))
    for variant, index in sorted(wanted):
        if index < len(made[variant]):
            write(out, made, variant, index)
    missing = [f"{variant}-s-{index}" for variant, index in sorted(wanted) if index >= len(made[variant])]
    progress(FAMILY, 1.0)
    if missing:
        raise PeabenchError(f"{len(missing)} of {len(wanted)} tasks were not certified: {', '.join(missing)}.")
    shutil.rmtree(out / STATES)


def trained(study: Study, number: int, steps: int, seed: int, states: Path) -> Start:
    """Train one start, or read it where that was done.

    One network at a time: what a step works on then stays in the caches, and that is faster than a stack of them.
    """
    weights = 1000 * seed + number
    state, first = (state_file(study, weights, some, states) for some in (steps, study.recipe.steps))
    if not state.exists() and first.exists():
        shutil.copy(first, state)
    recipe = replace(study.recipe, steps=steps)
    result = train_freely(study.network, study.sign, [weights], recipe, state)
    return Start(study, number, weights, steps, frozen(result.networks[0]), frozen(result.halfway[0]))


def state_file(study: Study, weights: int, steps: int, states: Path) -> Path:
    """Where a training of so many steps leaves its state."""
    return states / f"{study.variant}-{weights}-{steps}.safetensors"


def certified(study: Study, seed: int, states: Path) -> list[Certified]:
    """The starts whose explanation is certified, as many as there are tasks.

    Where a start's is not, its training goes on for as long again, once: its mechanism may not have settled.
    """
    found: list[Certified] = []
    rejected: list[str] = []
    tempting = subgroups(study.modulus)
    for number in range(study.starts):
        if len(found) == study.tasks:
            break
        failures: list[str] = []
        long = 2 * study.recipe.steps
        for steps in (study.recipe.steps, long):
            if steps < long and state_file(study, 1000 * seed + number, long, states).exists():
                continue  # it was tried before the training went on
            start = trained(study, number, steps, seed, states)
            made = Certified(start, explained(start, tempting), tuple(rejected))
            with TemporaryDirectory() as folder:
                failures = failed(save(Path(folder), made, len(found)))
            if not failures:
                found.append(made)
                break
            log.info("%s, start %d, %d steps: %s", study.variant, number, steps, "; ".join(failures))
        if failures:
            rejected.append(f"start {number + 1} ({', '.join(part.partition(':')[0] for part in failures)})")
        tempting.append(key_frequencies(start.adder))
    return found


def explained(start: Start, tempting: Sequence[Frequencies]) -> Mechanism:
    """The mechanism of a start."""
    study = start.study
    return explain(start.adder, study.form, study.exchanges, tempting, start.seed)


def subgroups(modulus: int) -> list[Frequencies]:
    """For each proper divisor of n above 1, its multiples: the frequencies that know the sum only modulo n over it."""
    divisors = [d for d in range(2, modulus) if modulus % d == 0]
    return [tuple(range(d, modulus // 2 + 1, d)) for d in divisors]


def save(folder: Path, made: Certified, index: int, companions: Sequence[Certified] = ()) -> list[Check]:
    """Write a task without its certificate, and say what is measured of it."""
    names = tuple("abcdefgh"[: len(companions)])
    save_task(folder, record(made, index, names), made.start.network, made.mechanism, {HALFWAY: made.start.halfway})
    for name, other in zip(names, companions, strict=True):
        theirs = record(other, index, ()).model_copy(update={"tracks": (), "twins": twins(other, halfway=False)})
        save_task(companion_folder(folder, name), theirs, other.start.network, other.mechanism, {})
    return certify(load_task(folder))


def write(out: Path, made: dict[Variant, list[Certified]], variant: Variant, index: int) -> None:
    """Write a task's folder, its companions certified too."""
    own = made[variant][index]
    companions = beside(made, variant, index)
    name = own.start.study.name(index)
    with TemporaryDirectory(dir=out, prefix=f".{name}.") as folder:
        path = Path(folder) / name
        write_certificate(path, save(path, own, index, companions))
        for companion in load_task(path).companions:
            write_certificate(companion.folder, certify(companion))
        shutil.rmtree(out / name, ignore_errors=True)
        path.rename(out / name)


def beside(made: dict[Variant, list[Certified]], variant: Variant, index: int) -> list[Certified]:
    """Networks beside a clock: the pizza from the same start, another clock, another pizza."""
    if variant != "clock":
        return []
    clocks, pizzas = made["clock"], made["pizza"]
    return [pizzas[index % len(pizzas)], clocks[(index + 1) % len(clocks)], pizzas[(index + 2) % len(pizzas)]]


def record(made: Certified, index: int, companions: tuple[str, ...]) -> TaskRecord:
    """What `task.json` says, the fate of earlier starts included."""
    study, start = made.start.study, made.start
    fate = f"Start {start.number + 1}, trained for {start.steps} steps."
    if made.rejected:
        fate += f" Thrown out before it: {'; '.join(made.rejected)}."
    tracks = ("algorithms", "universality") if companions else ("algorithms",)
    return TaskRecord(
        id=f"{FAMILY}/{study.name(index)}",
        family=FAMILY,
        variant=study.variant,
        size="s",
        seed=index,
        provenance="derived",
        tracks=tracks,
        network=study.network,
        domain=study.domain,
        domain_size=study.domain.size,
        examples=EXAMPLES,
        description=f"{study.description} {fate}",
        twins=twins(made, halfway=True),
        companions=companions,
    )


def twins(made: Certified, *, halfway: bool) -> tuple[Twin, ...]:
    """The control networks beside one: the same at half of its training, and one that was never trained."""
    random = Twin(name="random", provenance="random_init", seed=10_000 + made.start.seed)
    return (Twin(name="halfway", provenance="halfway", file=HALFWAY), random) if halfway else (random,)


def failed(checks: Sequence[Check]) -> list[str]:
    """What did not pass."""
    return [f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed]
