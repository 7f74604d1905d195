"""`peabench train programs`: plant, verify, mend what fails, certify, write the task folders."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from pathlib import Path

import torch

from peabench.errors import PeabenchError
from peabench.networks import Network, Transformer
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, Twin
from peabench_tasks.planting.assembly import CONFIDENCE as TRAINING_CONFIDENCE
from peabench_tasks.planting.lessons import NotLearnt
from peabench_tasks.planting.mechanism import build_mechanism
from peabench_tasks.planting.planter import Planter
from peabench_tasks.planting.side_channels import certify_with_side_channels
from peabench_tasks.planting.training import begin, mend, plant, sampled_errors, train_freely
from peabench_tasks.production import failures, make_all, to_make
from peabench_tasks.programs.specifications import Specification, specifications

MENDING_RATES = (2e-4, 5e-4, 1e-4)
"""Learning rates of successive rounds, in turn."""
MENDING_ROUNDS = 9
HOPELESS = 2e-2
"""Share of wrong single edges or interchanges above which a mended network begins anew at once."""
STARTS = 3
"""How often a network begins anew, from other weights and directions, before its task is given up."""
SHARPER = 2.0
"""Factor by which `saturated` multiplies attention scores."""
CONFIDENCE, SATURATED = 3.0, 24.0
"""Logit of the right answer above that of the likeliest other one, and in `saturated`."""

UNTRAINED = 10_000
"""How far the seed of a task's untrained twin lies above that of its weights."""

log = logging.getLogger(__name__)


def train(
    out: Path,
    only: str | None,
    seed: int,
    progress: Callable[[str, float], None],
    resume: bool = False,
    listed: Callable[[], Iterable[Specification]] = specifications,
) -> None:
    """Make a family's tasks, the seeds of a program at once, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other placements and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.
        listed: the family's tasks.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    known = list(listed())
    family = known[0].family
    wanted = to_make(family, known, only, out, resume, partial(task_record, seed=seed))
    jobs = [list(group) for _, group in groupby(wanted, key=lambda s: (s.variant, s.size))]
    jobs.sort(key=lambda job: -job[0].shape.d_model * job[0].shape.n_blocks)
    make_all(family, jobs, partial(make_tasks, out=out, seed=seed), progress, len(wanted))


def make_tasks(group: list[Specification], out: Path, seed: int) -> tuple[int, list[str]]:
    """Plant, certify and write the tasks of one program; returns how many, and what is wrong with those that fail."""
    torch.set_num_threads(1)
    failed: dict[Specification, str] = dict.fromkeys(group, "")
    for start in range(STARTS):
        failed = make_from_one_start(list(failed), out, seed, start)
        if not failed:
            break
    return len(group), [f"{specification.name}: {problem}" for specification, problem in failed.items()]


def make_from_one_start(group: list[Specification], out: Path, seed: int, start: int) -> dict[Specification, str]:
    """The tasks that this start did not bring to their certificate, with what fails."""
    seeds = [s.weight_seed(seed) for s in group]
    try:
        planter = begin([s.placement(seed) for s in group], seeds, start)
    except NotLearnt as error:
        return dict.fromkeys(group, str(error))
    plant(planter, group[0].shape.steps, group[0].shape.rate)
    if group[0].variant == "saturated":
        saturate(planter)
    try:
        free = train_freely(planter, seeds)
    except NotLearnt as error:
        return dict.fromkeys(group, str(error))
    return {
        specification: problem
        for i, specification in enumerate(group)
        if (problem := finish_task(specification, i, planter, free[i], out, seed))
    }


@torch.no_grad()
def saturate(planter: Planter) -> None:
    """Sharpen all attention: mending then makes the networks right again."""
    for name, weight in planter.stack.parameters.items():
        if name.endswith("_qkv"):
            weight[:, :, 0] *= SHARPER


@torch.no_grad()
def tempered(network: Transformer, confidence: float) -> Transformer:
    """The network with all logits scaled alike, which changes no answer."""
    for weight in (network.w_output, network.b_output):
        weight.mul_(confidence / TRAINING_CONFIDENCE)
    return network


def finish_task(
    specification: Specification, index: int, planter: Planter, free: Transformer, out: Path, seed: int
) -> str | None:
    """Mend and certify one network until every check passes, then write its certificate and card.

    Returns:
        None, or what still fails after the last round; the folder then has no certificate.
    """
    folder = out / specification.name
    (folder / CERTIFICATE_FILE).unlink(missing_ok=True)
    alone = planter.subset([index])
    mechanism = build_mechanism(specification.placement(seed), alone.bases[0])
    record = task_record(specification, seed)
    confidence = SATURATED if specification.variant == "saturated" else CONFIDENCE
    failed: str | None = "not certified"
    for attempt in range(MENDING_ROUNDS):
        if int(sampled_errors(alone)) == 0 or attempt % 3 == 2:
            network = tempered(alone.layout.restored(alone.stack.network(0), 0), confidence)
            twins: dict[str, Network] = {"twin-free.safetensors": free}
            checks = certify_with_side_channels(
                folder, record, network, mechanism, twins, specification.weight_seed(seed)
            )
            failed = failures(checks)
            if failed is None:
                return None
            log.warning("%s after %d rounds of mending: %s", specification.name, attempt, failed)
            single = [check for check in checks if check.name in ("alignment", "edges alone")]
            if attempt and any(check.errors > HOPELESS * check.cases for check in single):
                break  # a step that was not learnt by now never is
        mend(alone, specification.shape.rate * MENDING_RATES[attempt % len(MENDING_RATES)])
    return failed


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    placement = specification.placement(seed)
    variant, domain = specification.about, placement.program.domain
    last = any(not s.everywhere and placement.sites(s.variable) for s in placement.program.steps[:-1])
    return TaskRecord(
        id=f"{specification.family}/{specification.name}",
        family=specification.family,
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("circuits", "variables") if last else ("circuits",),
        network=placement.config,
        domain=domain,
        domain_size=domain.size,
        examples=specification.examples,
        difficulty=variant.difficulty,
        description=variant.description,
        twins=(
            Twin(name="free", provenance="free", file="twin-free.safetensors"),
            Twin(name="random", provenance="random_init", seed=UNTRAINED + specification.weight_seed(seed)),
        ),
    )


def weight_seed_of(record: TaskRecord) -> int:
    """The seed that a task's weights were made from, as its record says.

    Raises:
        PeabenchError: it has no untrained twin.
    """
    for twin in record.twins:
        if twin.provenance == "random_init" and twin.seed is not None:
            return twin.seed - UNTRAINED
    raise PeabenchError(
        f"{record.id}: expected a twin of provenance random_init with a seed, got none; train it again."
    )
