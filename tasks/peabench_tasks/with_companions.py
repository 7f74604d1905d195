"""Families whose tasks have companions: their networks are made in a draft's folder, and each is certified there."""

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from peabench.domain import ProductDomain
from peabench.mechanism import Provenance
from peabench.networks.config import NetworkConfig
from peabench.tasks import TaskRecord, Twin, companion_folder
from peabench_tasks.production import certified_folder, make_all, to_make
from peabench_tasks.specification import OWN

EXAMPLES = 256
"""How many base-source pairs scorers receive."""
DRAFTS = ".drafts"
"""Folder of tasks of which not all networks are certified yet."""
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""

log = logging.getLogger(__name__)


class Specification(Protocol):
    """A task that is to be made, by the parts of its id."""

    @property
    def family(self) -> str:
        """Such as `distributive`."""

    @property
    def variant(self) -> str:
        """Such as `crossed`."""

    @property
    def size(self) -> str:
        """Such as `xs`."""

    @property
    def seed(self) -> int:
        """Which of that variant and size."""

    @property
    def name(self) -> str:
        """Such as `crossed-xs-0`."""


class Member(Protocol):
    """One of a task's networks."""

    @property
    def name(self) -> str:
        """`OWN`, or that of a companion's folder, which tells nothing."""

    @property
    def seed(self) -> int:
        """Of whatever is drawn for it."""


SpecificationT = TypeVar("SpecificationT", bound=Specification)
MemberT = TypeVar("MemberT", bound=Member)


def train(
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool = False,
    *,
    listed: Callable[[], Iterable[SpecificationT]],
    record: Callable[[SpecificationT, int], TaskRecord],
    make_networks: Callable[[SpecificationT, Path, int], list[str]],
) -> None:
    """Make a family's tasks, each with its companions, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other places and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks, and the networks of unfinished ones, whose certificate stands in `out` already.
        listed: the family's tasks.
        record: what `task.json` says of a task.
        make_networks: makes the networks of a task that are not certified yet in a draft's folder; says what fails.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    known = list(listed())
    wanted = to_make(known[0].family, known, only, out, resume, lambda s: record(s, seed))
    if not resume:
        for specification in wanted:
            shutil.rmtree(out / DRAFTS / specification.name, ignore_errors=True)
    job = partial(make, out=out, seed=seed, make_networks=make_networks)
    make_all(known[0].family, wanted, job, progress, len(wanted))


def make(
    specification: SpecificationT, out: Path, seed: int, make_networks: Callable[[SpecificationT, Path, int], list[str]]
) -> tuple[int, list[str]]:
    """Make one task; returns how many that is, and what is wrong with it if it fails."""
    torch.set_num_threads(1)
    draft = out / DRAFTS / specification.name
    problems = make_networks(specification, draft, seed)
    if not problems:
        shutil.rmtree(out / specification.name, ignore_errors=True)
        draft.rename(out / specification.name)
    return 1, problems


def one_by_one(
    task: str,
    members: Sequence[MemberT],
    draft: Path,
    starts: int,
    begin: Callable[[MemberT, Path, int], str | None],
) -> list[str]:
    """Make those of a task's networks that are not certified, its own last, until one fails at every start.

    Args:
        task: its name.
        members: its networks.
        draft: the task's folder, in which companions have theirs.
        starts: how often a network begins anew before its task is given up.
        begin: one start of a network in its folder; None if it is certified, or what fails.
    """
    own, *companions = members
    for member in (*companions, own):
        folder = folder_of(member, draft)
        problem = None if certified_folder(folder) else ""
        for start in range(starts):
            if problem is None:
                break
            problem = begin(member, folder, start)
            if problem is not None:
                log.warning("%s, %s, start %d: %s", task, member.name, start + 1, problem)
        if problem is not None:
            return [f"{task}, {member.name}: {problem}"]
    return []


def folder_of(member: Member, draft: Path) -> Path:
    """Where a task's network goes, companions into folders of the task's."""
    return draft if member.name == OWN else companion_folder(draft, member.name)


def record_of(
    specification: Specification,
    members: Sequence[Member],
    member: Member | None,
    *,
    provenance: Provenance,
    tracks: tuple[str, ...],
    network: NetworkConfig,
    domain: ProductDomain,
    difficulty: str,
    description: str,
) -> TaskRecord:
    """What `task.json` says of a task, or of one of its companions, which is in no track.

    Args:
        specification: of the task.
        members: its networks, its own first.
        member: which of them; None is its own.
        provenance: of that network.
        tracks: of the task.
        network: shape of all its networks.
        domain: of their inputs.
        difficulty: what makes it hard.
        description: in a sentence.
    """
    own, *companions = members
    member = member or own
    alone = member.name != OWN
    variant = f"{specification.variant}_{member.name}" if alone else specification.variant
    return TaskRecord(
        id=f"{specification.family}/{variant}-{specification.size}-{specification.seed}",
        family=specification.family,
        variant=variant,
        size=specification.size,
        seed=specification.seed,
        provenance=provenance,
        tracks=() if alone else tracks,
        network=network,
        domain=domain,
        domain_size=domain.size,
        examples=EXAMPLES,
        difficulty=difficulty,
        description=description,
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + member.seed),),
        companions=() if alone else tuple(sorted(companion.name for companion in companions)),
    )
