"""`peabench train boolean`: plant, verify, mend what fails, certify, write the task folders."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.networks import Network, ResidualMLP, build_network
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, Twin
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.dormant import certify_with_dormant
from peabench_tasks.boolean.mechanism import build_mechanism
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.planting import (
    TUTORING,
    Batch,
    Planter,
    initial_network,
    pivotal_weights,
    step_loss,
)
from peabench_tasks.boolean.specifications import DIFFICULTY, Specification, specifications
from peabench_tasks.boolean.tables import Tables
from peabench_tasks.boolean.targets import Targets
from peabench_tasks.production import failures, make_all, to_make

POOL = 128
LEARNING_RATE = 8e-3
MENDING_RATES = (1.5e-3, 8e-4, 4e-4)
"""Learning rates of successive rounds, in turn."""
MENDING_STEPS = 150
MENDING_ROUNDS = 14
HOPELESS = 1e-3
"""Share of wrong single interchanges, or edges, above which a mended network begins anew at once."""
STARTS = 4
"""How often a network begins anew, from other weights and directions, before its task is given up."""
HARDEST = 32
TOGETHER = 4
"""Networks of one shape trained in one process: enough to batch, few enough to stay in the cache."""
FREE_STEPS = 1500
FREE_TWIN = "twin-free.safetensors"

log = logging.getLogger(__name__)


def train(out: Path, only: str | None, seed: int, progress: Callable[[str, float], None], resume: bool = False) -> None:
    """Make the family's tasks, groups of one shape at once, two processes of one thread each.

    Args:
        out: where task folders go.
        only: a glob over names or ids; None is all.
        seed: another seed draws other formulas, placements and weights.
        progress: told what is being made and how much is done.
        resume: keep the tasks of this seed whose certificate stands in `out` already.

    Raises:
        PeabenchError: no task matches, or some did not pass; those that passed are written.
    """
    wanted = to_make("boolean", specifications(), only, out, resume, partial(task_record, seed=seed))
    plant_all([commission(specification, out / specification.name, seed) for specification in wanted], progress)


@dataclass(frozen=True)
class Commission:
    """A task that is to be planted in a folder."""

    folder: Path
    record: TaskRecord
    plan: Plan
    steps: int
    """Of the recipe's main run."""
    weight_seed: int
    """Of the initial weights and the planted basis, of any width (`peabench.generators`)."""

    @property
    def has_free_twin(self) -> bool:
        """Whether a twin is to be trained beside it."""
        return any(twin.provenance == "free" for twin in self.record.twins)


def commission(specification: Specification, folder: Path, seed: int) -> Commission:
    """What `peabench train` asks for."""
    return Commission(
        folder=folder,
        record=task_record(specification, seed),
        plan=specification.plan(seed),
        steps=specification.shape.steps,
        weight_seed=specification.weight_seed(seed),
    )


def plant_all(wanted: Sequence[Commission], progress: Callable[[str, float], None]) -> None:
    """Plant, certify and write tasks, groups of one shape at once, two processes of one thread each.

    Raises:
        PeabenchError: some did not pass; those that passed are written.
    """
    make_all("boolean", list(_groups(wanted)), make_tasks, progress, len(wanted))


def _groups(wanted: Sequence[Commission]) -> Iterator[list[Commission]]:
    """Groups of one network shape and length of training, the longest first."""
    by_shape = sorted(wanted, key=lambda c: (-c.plan.config.d_model, -c.plan.config.n_inputs, c.steps))
    for _, group in groupby(by_shape, key=lambda c: (c.plan.config, c.steps, c.has_free_twin)):
        same = list(group)
        for start in range(0, len(same), TOGETHER):
            yield same[start : start + TOGETHER]


def make_tasks(group: list[Commission]) -> tuple[int, list[str]]:
    """Plant, certify and write the tasks of one shape; returns how many, and what is wrong with those that fail."""
    torch.set_num_threads(1)
    remaining, problems = group, list[str]()
    for start in range(STARTS):
        failed = make_from_one_start(remaining, start)
        remaining = [one for one, _ in failed]
        problems = [f"{one.folder.name}: {problem}" for one, problem in failed]
        if not failed:
            break
    return len(group), problems


def make_from_one_start(group: list[Commission], start: int) -> list[tuple[Commission, str]]:
    """The tasks that this start did not bring to their certificate, with what fails."""
    plans = [one.plan for one in group]
    seeds = [one.weight_seed + 100_000 * start for one in group]
    targets = Targets.from_plans(plans, seeds)
    networks = [initial_network(p, targets.basis[i], seeds[i]) for i, p in enumerate(plans)]
    tables = Tables.from_plans(plans)
    planter = Planter(
        StackedResidualMLP.from_networks(networks), tables, targets, generator_of(seeds[0]), pivotal_weights(tables)
    )
    plant(planter, group[0].steps)
    free = train_freely(planter, seeds) if group[0].has_free_twin else [None] * len(group)
    return [
        (one, problem)
        for i, one in enumerate(group)
        if (problem := finish_task(one, planter.subset([i]), free[i])) is not None
    ]


def plant(planter: Planter, steps: int) -> None:
    """The recipe's main run: one learning-rate cycle."""
    optimiser = torch.optim.AdamW(planter.stack.trainable(), lr=LEARNING_RATE, weight_decay=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.15)
    for step in range(steps):
        tutoring = max(TUTORING, 1 - 2 * step / steps)
        batches, written = planter.losses(planter.pool(POOL), tutoring)
        if step % (steps // 8) == 0:
            log.info("step %d of %d: wrong rows of each network %s", step, steps, planter.errors(batches).tolist())
        optimiser.zero_grad()
        (step_loss(batches) + written).backward()
        planter.stack.clip_gradients(1.0)
        optimiser.step()
        schedule.step()


def mend(planter: Planter, rate: float, steps: int = MENDING_STEPS, rows: int = 4 * POOL) -> None:
    """A round of training on the hardest rows of large pools."""
    optimiser = torch.optim.AdamW(planter.stack.trainable(), lr=rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(steps):
        batches, written = planter.losses(planter.pool(rows))
        optimiser.zero_grad()
        (step_loss(batches) + hardest_loss(batches) + written).backward()
        planter.stack.clip_gradients(1.0)
        optimiser.step()
        schedule.step()


def hardest_loss(batches: list[Batch]) -> Tensor:
    """Mean cross-entropy of each network's worst rows in each group."""
    total = torch.zeros(())
    for batch in batches:
        each = binary_cross_entropy_with_logits(0.3 * batch.logits, batch.target.float(), reduction="none")
        total = total + each.topk(HARDEST, dim=1).values.mean(1).sum()
    return total


@torch.no_grad()
def sampled_errors(planter: Planter, pools: int = 20) -> Tensor:
    """Wrong rows of each network over fresh pools, all demands together."""
    return torch.stack([planter.errors(planter.losses(planter.pool(4 * POOL))[0]) for _ in range(pools)]).sum(0)


def finish_task(one: Commission, alone: Planter, free: ResidualMLP | None) -> str | None:
    """Mend and certify one network until every check passes, then write its certificate and card.

    Returns:
        None, or what still fails after the last round; the folder then has no certificate.
    """
    (one.folder / CERTIFICATE_FILE).unlink(missing_ok=True)
    mechanism = build_mechanism(one.plan, alone.targets.basis[0])
    twins: dict[str, Network] = {} if free is None else {FREE_TWIN: free}
    failed: str | None = "not certified"
    for attempt in range(MENDING_ROUNDS):
        if int(sampled_errors(alone)) == 0 or attempt % 3 == 2:
            network = alone.stack.network(0)
            checks = certify_with_dormant(one.folder, one.record, one.plan, one.weight_seed, network, mechanism, twins)
            failed = failures(checks)
            if failed is None:
                return None
            log.warning("%s after %d rounds of mending: %s", one.folder.name, attempt, failed)
            single = [check for check in checks if check.name in ("alignment", "edges alone")]
            if attempt and any(check.errors > HOPELESS * check.cases for check in single):
                break  # a gate that was not learnt by now never is
        mend(alone, MENDING_RATES[attempt % len(MENDING_RATES)])
    return failed


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    twins = (
        Twin(name="free", provenance="free", file=FREE_TWIN),
        Twin(name="random", provenance="random_init", seed=10_000 + specification.weight_seed(seed)),
    )
    return task_record_of(specification, specification.plan(seed), twins)


def task_record_of(specification: Specification, plan: Plan, twins: tuple[Twin, ...] = ()) -> TaskRecord:
    """What `task.json` says of a task with this plan."""
    config = plan.config
    domain = ProductDomain(sizes=(2,) * config.n_inputs)
    return TaskRecord(
        id=f"boolean/{specification.name}",
        family="boolean",
        variant=specification.variant,
        size=specification.size,
        seed=specification.seed,
        provenance="planted",
        tracks=("circuits", "variables"),
        network=config,
        domain=domain,
        domain_size=domain.size,
        examples=specification.examples,
        focus=plan.formula.focus or tuple(decoy.variable for decoy in plan.decoys),
        difficulty=DIFFICULTY[specification.variant],
        description=f"A Boolean formula of {len(plan.formula.gates)} gates on {config.n_inputs} inputs.",
        twins=twins,
    )


def train_freely(planter: Planter, seeds: list[int]) -> list[ResidualMLP]:
    """Twins of the same shape trained on the same outputs and nothing else, until they are right on fresh pools."""
    config = planter.stack.config
    networks = [build_network(config, generator_of(20_000 + s)) for s in seeds]
    stack = StackedResidualMLP.from_networks([n for n in networks if isinstance(n, ResidualMLP)])
    optimiser = torch.optim.AdamW(stack.trainable(), lr=3e-3, weight_decay=1e-3, fused=True)
    for step in range(4 * FREE_STEPS):
        pool = planter.pool(2 * POOL)
        logits, target = _free_logits(stack, pool), planter.tables.run(pool)[..., -1]
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(logits, target.float(), reduction="none").mean(1).sum().backward()
        stack.clip_gradients(1.0)
        optimiser.step()
        if step >= FREE_STEPS and step % 100 == 0:
            with torch.no_grad():
                pool = planter.pool(4096)
                if bool(((_free_logits(stack, pool) > 0) == planter.tables.run(pool)[..., -1]).all()):
                    break
    return [stack.network(i) for i in range(len(seeds))]


def _free_logits(stack: StackedResidualMLP, pool: Tensor) -> Float[Tensor, "network row"]:
    resid = stack.embed(pool.float() * 2 - 1)
    for block in range(stack.config.n_blocks):
        resid = resid + stack.block(block, resid)
    return stack.unembed(resid)[..., 0]
