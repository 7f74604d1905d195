"""Plant each task's network, certify it, write the task folder."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from peabench.generators import generator_of
from peabench.tasks import TaskRecord, Twin
from peabench_tasks.illusions.dormant import lay, with_dormant_path
from peabench_tasks.illusions.specifications import (
    ASKED,
    DIFFICULTY,
    EXAMPLES,
    FAMILY,
    Specification,
    specifications,
)
from peabench_tasks.margins import set_margin
from peabench_tasks.production import ANEW, certified_already, make_all, matching, write_if_certified
from peabench_tasks.units.assembly import Stream, assemble
from peabench_tasks.units.lessons import NotLearnt, learn
from peabench_tasks.units.mechanism import build_mechanism

STARTS = 3
RANDOM_INIT = 500_000_000
"""What seeds of random-init twins are further than those of networks."""


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, two processes of one thread each; see `peabench_tasks.units.training.train`.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = matching(FAMILY, specifications(), only)
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    make_all(FAMILY, wanted, partial(make, out=out, seed=seed), progress, len(wanted))


def make(specification: Specification, out: Path, seed: int) -> tuple[int, list[str]]:
    """Make one task; how many that is, and what is wrong with it if it fails."""
    torch.set_num_threads(1)
    problem: str | None = None
    for start in range(STARTS):
        plan = specification.plan(weight_seed(specification, seed) + ANEW * start)
        generator = generator_of(plan.seed)
        try:
            lessons = {variable.name: learn(plan, variable.name, generator) for variable in plan.computed}
        except NotLearnt as error:
            problem = str(error)
            continue
        stream = Stream.cut(plan)
        network = assemble(plan, lessons, stream)
        mechanism = build_mechanism(plan, stream, None)
        if specification.variant == "dormant":
            dormant = lay(network, plan, stream, lessons[plan.model.output])
            mechanism = with_dormant_path(mechanism, plan, stream, dormant)
        set_margin(network, specification.domain)
        problem = write_if_certified(out, task_record(specification, seed), network, mechanism)
        if problem is None:
            return 1, []
    return 1, [f"{specification.name}: {problem}"]


def weight_seed(specification: Specification, seed: int) -> int:
    """Seed of places, directions and weights."""
    return 1_000_000 * (seed + 1) + 1000 * list(DIFFICULTY).index(specification.variant) + specification.seed


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    return TaskRecord(
        id=f"{FAMILY}/{specification.name}",
        family=FAMILY,
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("variables",),
        network=specification.network,
        domain=specification.domain,
        domain_size=specification.domain.size,
        examples=EXAMPLES,
        focus=(ASKED,),
        difficulty=DIFFICULTY[specification.variant],
        description="Whether exactly one of two variables of three bits each holds.",
        twins=(Twin(name="random", provenance="random_init", seed=RANDOM_INIT + weight_seed(specification, seed)),),
    )
