"""Plant each task's networks, certify them, write the task folder."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from peabench.domain import ProductDomain
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.distributive.hypotheses import claim_among
from peabench_tasks.distributive.specifications import OWN
from peabench_tasks.distributive.strengths import with_strengths
from peabench_tasks.distributive.terms import formula_of
from peabench_tasks.of_one_behaviour import Networks, make_networks
from peabench_tasks.parity.specification import DIFFICULTY, Member, Specification
from peabench_tasks.production import certified_already, make_all, matching

RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""


def make_tasks(
    listed: Iterable[Specification],
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool,
) -> None:
    """Make a family's tasks, two processes of one thread each.

    Args:
        listed: all tasks of the family.
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other places and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    every = list(listed)
    family = every[0].family
    wanted = matching(family, every, only)
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    make_all(family, wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; see `peabench_tasks.of_one_behaviour.make_networks`."""
    ways, inputs, config = specification.ways, specification.inputs, specification.shape.network
    networks = Networks(
        name=specification.name,
        config=config,
        formula=formula_of(ways[0], inputs, config.n_inputs),
        members=tuple(specification.members(seed)),
        plan=specification.plan,
        claim=lambda member: claim_among("way", ways, member.truth, inputs, config.n_inputs),
        record=lambda member: task_record(specification, seed, member),
        finished=with_strengths,
    )
    return make_networks(networks, out, specification.shape.steps, specification.shape.lessons)


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of one of its networks on its own."""
    own, *companions = specification.members(seed)
    network = specification.shape.network
    domain = ProductDomain(sizes=(2,) * network.n_inputs)
    name = member.name if member is not None else OWN
    variant = specification.variant if name == OWN else f"{specification.variant}_{name}"
    drawn = next(other for other in (own, *companions) if other.name == name)
    together = ("universality",) if companions else ()
    return TaskRecord(
        id=f"{specification.family}/{variant}-{specification.size}-{specification.seed}",
        family=specification.family,
        variant=variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted" if drawn.truth is not None else "derived",
        tracks=("algorithms", *together, "circuits", "variables") if name == OWN else (),
        network=network,
        domain=domain,
        domain_size=domain.size,
        examples=specification.examples,
        difficulty=DIFFICULTY[specification.variant],
        description=specification.description,
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + drawn.seed),),
        companions=tuple(sorted(other.name for other in companions)) if member is None else (),
    )
