"""`peabench train distributive`: plant each task's networks, certify them, write the task folder."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.distributive.hypotheses import claim
from peabench_tasks.distributive.identities import TABLES
from peabench_tasks.distributive.specifications import DIFFICULTY, OWN, Member, Specification, specifications
from peabench_tasks.distributive.strengths import with_strengths
from peabench_tasks.distributive.terms import formula_of
from peabench_tasks.of_one_behaviour import Networks, make_networks
from peabench_tasks.production import certified_already, make_all

RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, each with its companions, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other places and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = [s for s in specifications() if only is None or fnmatchcase(s.name, only.removeprefix("distributive/"))]
    if not wanted:
        raise PeabenchError(f"No task of the distributive family matches {only!r}; try 'plain-xs-*'.")
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    make_all("distributive", wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; see `peabench_tasks.of_one_behaviour.make_networks`."""
    table, inputs, config = specification.table, specification.inputs, specification.network
    networks = Networks(
        name=specification.name,
        config=config,
        formula=formula_of(TABLES[table][0], inputs, config.n_inputs),
        members=tuple(specification.members(seed)),
        plan=specification.plan,
        claim=lambda member: claim(table, member.truth, inputs, config.n_inputs),
        record=lambda member: task_record(specification, seed, member),
        finished=with_strengths,
    )
    return make_networks(networks, out)


def task_record(specification: Specification, seed: int, member: Member | None = None) -> TaskRecord:
    """What `task.json` says of a task, or of one of its networks on its own."""
    members = specification.members(seed)
    network = specification.network
    domain = ProductDomain(sizes=(2,) * network.n_inputs)
    name = member.name if member is not None else OWN
    variant = specification.variant if name == OWN else f"{specification.variant}_{name}"
    weight_seed = next(other.seed for other in members if other.name == name)
    return TaskRecord(
        id=f"distributive/{variant}-{specification.size}-{specification.seed}",
        family="distributive",
        variant=variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted" if member is None or member.truth is not None else "derived",
        tracks=("algorithms", "universality", "circuits", "variables") if name == OWN else (),
        network=network,
        domain=domain,
        domain_size=domain.size,
        examples=specification.examples,
        difficulty=DIFFICULTY[specification.variant],
        description=f"One of {len(TABLES[specification.table])} ways to compute {specification.table}.",
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + weight_seed),),
        companions=tuple(sorted(m.name for m in members if m.name != OWN)) if member is None else (),
    )
