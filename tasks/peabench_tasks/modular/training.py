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
from peabench_tasks.card import write_card, write_certificate
from peabench_tasks.margins import set_margin
from peabench_tasks.modular.free_training import train_freely
from peabench_tasks.modular.mechanism import Frequencies, explain, key_frequencies
from peabench_tasks.modular.specifications import CLOCK, STUDIES, Start, Study, Variant
from peabench_tasks.modular.unread_keys import with_unread_keys
from peabench_tasks.production import certified_folder

FAMILY = "modular"
EXAMPLES = 1024
STATES = ".states"
"""Folder of trainings, from which one that was stopped goes on."""
BESIDE: dict[Variant, int] = {"clock": 1, "pizza": 2}
"""How far apart in their list a task's two companions of the other form are: no two tasks have the same four."""
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
    return variant == other or {variant, other} == set(BESIDE)


def trained(study: Study, index: int, seed: int, states: Path) -> Trained:
    """One start's network at the end of its training and after half of it.

    Where a start names a donor, the network has the queries and keys of that clock.
    """
    start = study.starts[index]
    networks = _trained(study, start, seed, states)
    if start.donor is not None:
        donors = _trained(CLOCK, Start(start.donor), seed, states)
        networks = [with_unread_keys(*both) for both in zip(networks, donors, strict=True)]
    end, halfway = (frozen(network) for network in networks)
    for network in (end, halfway):
        set_margin(network, study.domain)
    return Trained(study, index, end, halfway)


def _trained(study: Study, start: Start, seed: int, states: Path) -> list[Network]:
    """Train a network, or go on with it where that was stopped.

    One network at a time: what a step works on then stays in the caches, and that is faster than a stack of them.
    """
    weights = 1000 * seed + start.seed
    recipe = replace(study.recipe, steps=start.times * study.recipe.steps)
    state = states / f"{study.variant}-{weights}-{recipe.steps}.safetensors"
    result = train_freely(study.network, study.sign, [weights], recipe, state)
    return [*result.networks, *result.halfway]


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
        problems = []
        for letter, other in companions.items():
            theirs = out / STATES / f"companion-{other.study.name(other.index)}"
            problems += [] if theirs.exists() else as_companion(theirs, networks, other)
            if not problems:
                shutil.copytree(theirs, companion_folder(path, letter))
                write_card(companion_folder(path, letter))
        problems = problems or certified(path)
        if problems:
            return [f"{name} ({', '.join(problems)})"]
        shutil.rmtree(out / name, ignore_errors=True)
        path.rename(out / name)
    return []


def as_companion(folder: Path, networks: Networks, made: Trained) -> list[str]:
    """Write a network as it stands beside others, without tracks and its stored twin; which of its checks fail."""
    alone = record(made, ()).model_copy(update={"tracks": (), "twins": twins(made, halfway=False)})
    with TemporaryDirectory(dir=folder.parent) as place:
        path = Path(place) / folder.name
        save_task(path, alone, made.network, explained(networks, made.study.variant, made.index), {})
        problems = certified(path)
        if not problems:
            path.rename(folder)
    return problems


def certified(folder: Path) -> list[str]:
    """Certify a task and write what was found beside it; which checks fail."""
    task = load_task(folder)
    checks = certify(task)
    write_certificate(folder, checks)
    return [f"{task.record.id}: {check.name}" for check in checks if not check.passed]


def beside(networks: Networks, variant: Variant, index: int) -> list[Trained]:
    """Networks beside a clock or a pizza: another of its form and two of the other."""
    if variant not in BESIDE:
        return []
    own, other = ([n for (v, _), n in networks.items() if (v == variant) == same and v in BESIDE] for same in (1, 0))
    places = (index, index + BESIDE[variant])
    return [own[(index + 1) % len(own)], *(other[place % len(other)] for place in places)]


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
