"""From the variants of the family to its tasks: train starts, explain each, keep those that are certified."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from peabench.certification import certify
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


@dataclass(frozen=True)
class Trained:
    """One start of a variant: the network, the same one halfway, and what it computes on all pairs."""

    study: Study
    index: int
    """Of its task."""
    network: Network
    halfway: Network

    @property
    def weight_seed(self) -> int:
        """Of the start."""
        return self.study.starts[self.index].seed

    @cached_property
    def adder(self) -> Adder:
        """The network on all pairs."""
        return Adder.of(self.network, self.study.modulus, self.study.sign)

    @cached_property
    def keys(self) -> Frequencies:
        """Its key frequencies."""
        return key_frequencies(self.adder)


Networks = dict[tuple[Variant, int], Trained]


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make tasks of the family; see `peabench_tasks.boolean.training.train`.

    Raises:
        PeabenchError: no task matches, or some were not certified; those that were are written.
    """
    pattern = (only or "*").removeprefix(f"{FAMILY}/")
    every = [(study, index) for study in STUDIES for index in range(len(study.starts))]
    wanted = [(study, index) for study, index in every if fnmatchcase(study.name(index), pattern)]
    if not wanted:
        raise PeabenchError(f"No task of the {FAMILY} family matches {only!r}; try '{STUDIES[0].name(0)}'.")
    if resume:
        wanted = [(study, index) for study, index in wanted if not certified_folder(out / study.name(index))]
    else:
        shutil.rmtree(out / STATES, ignore_errors=True)
    torch.set_num_threads(1)
    (out / STATES).mkdir(parents=True, exist_ok=True)
    needed = {(s.variant, i) for s, i in every if any(_beside(s.variant, study.variant) for study, _ in wanted)}
    networks: Networks = {}
    for study, index in every:
        if (study.variant, index) in needed:
            progress(FAMILY, len(networks) / (len(needed) + len(wanted)))
            networks[study.variant, index] = trained(study, index, seed, out / STATES)
    failures = []
    for done, (study, index) in enumerate(wanted):
        progress(FAMILY, (len(needed) + done) / (len(needed) + len(wanted)))
        failures += write(out, networks, study.variant, index)
    progress(FAMILY, 1.0)
    if failures:
        raise PeabenchError(f"{len(failures)} of {len(wanted)} tasks were not certified: {'; '.join(failures)}.")
    shutil.rmtree(out / STATES)


def _beside(variant: Variant, other: Variant) -> bool:
    """Whether networks of a variant are looked at where tasks of another are made."""
    return variant == other or {variant, other} == {"clock", "pizza"}


def trained(study: Study, index: int, seed: int, states: Path) -> Trained:
    """Train one start, or go on with it where that was stopped.

    One network at a time: what a step works on then stays in the caches, and that is faster than a stack of them.
    """
    start = study.starts[index]
    weights = 1000 * seed + start.seed
    recipe = replace(study.recipe, steps=start.times * study.recipe.steps)
    state = states / f"{study.variant}-{weights}-{recipe.steps}.safetensors"
    result = train_freely(study.network, study.sign, [weights], recipe, state)
    return Trained(study, index, frozen(result.networks[0]), frozen(result.halfway[0]))


def explained(networks: Networks, variant: Variant, index: int) -> Mechanism:
    """The mechanism of a network; what it is mistaken for are the key frequencies of others of its variant."""
    own = networks[variant, index]
    others = [networks[v, i].keys for v, i in networks if v == variant and i != index]
    tempting = [*others[index:], *others[:index], *subgroups(own.study.modulus)]
    return explain(own.adder, own.study.form, own.study.exchanges, tempting, own.weight_seed)


def subgroups(modulus: int) -> list[Frequencies]:
    """For each proper divisor of n above 1, its multiples: the frequencies that know the sum only modulo n over it."""
    divisors = [d for d in range(2, modulus) if modulus % d == 0]
    return [tuple(range(d, modulus // 2 + 1, d)) for d in divisors]


def write(out: Path, networks: Networks, variant: Variant, index: int) -> list[str]:
    """Write a task and its companions, all certified; what is wrong where a check fails, and nothing is written."""
    own = networks[variant, index]
    name = own.study.name(index)
    companions = dict(zip("abcdefgh", beside(networks, variant, index), strict=False))
    with TemporaryDirectory(dir=out, prefix=f".{name}.") as folder:
        path = Path(folder) / name
        mechanism = explained(networks, variant, index)
        save_task(path, record(own, tuple(companions)), own.network, mechanism, {HALFWAY: own.halfway})
        for letter, other in companions.items():
            theirs = record(other, ()).model_copy(update={"tracks": (), "twins": twins(other, halfway=False)})
            mechanism = explained(networks, other.study.variant, other.index)
            save_task(companion_folder(path, letter), theirs, other.network, mechanism, {})
        problems = []
        for task in (load_task(path), *load_task(path).companions):
            checks = certify(task)
            problems += [f"{name}: {check.name}" for check in checks if not check.passed]
            write_certificate(task.folder, checks)
        if problems:
            return [f"{name} ({', '.join(problems)})"]
        shutil.rmtree(out / name, ignore_errors=True)
        path.rename(out / name)
    return []


def beside(networks: Networks, variant: Variant, index: int) -> list[Trained]:
    """Networks beside a clock: a pizza, the next clock, another pizza."""
    if variant != "clock":
        return []
    clocks, pizzas = ([n for (v, _), n in networks.items() if v == form] for form in ("clock", "pizza"))
    return [pizzas[index % len(pizzas)], clocks[(index + 1) % len(clocks)], pizzas[(index + 1) % len(pizzas)]]


def record(made: Trained, companions: tuple[str, ...]) -> TaskRecord:
    """What `task.json` says."""
    study, start = made.study, made.study.starts[made.index]
    steps = start.times * study.recipe.steps
    return TaskRecord(
        id=f"{FAMILY}/{study.name(made.index)}",
        family=FAMILY,
        variant=study.variant,
        size="s",
        seed=made.index,
        provenance="derived",
        tracks=("algorithms", "universality") if companions else ("algorithms",),
        network=study.network,
        domain=study.domain,
        domain_size=study.domain.size,
        examples=EXAMPLES,
        description=f"{study.description} Start {start.seed}, trained for {steps} steps.",
        twins=twins(made, halfway=True),
        companions=companions,
    )


def twins(made: Trained, *, halfway: bool) -> tuple[Twin, ...]:
    """The control networks beside one: the same at half of its training, and one that was never trained."""
    random = Twin(name="random", provenance="random_init", seed=10_000 + made.weight_seed)
    return (Twin(name="halfway", provenance="halfway", file=HALFWAY), random) if halfway else (random,)
