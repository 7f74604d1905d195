"""`peabench train boolean`: plant, verify, mend what fails, certify, write the task folders."""

import logging
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from peabench.certification import certify
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.networks import ResidualMLP, build_network
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, Twin, load_task, save_task
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.mechanism import build_mechanism
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
from peabench_tasks.card import write_certificate
from peabench_tasks.production import certified_already, make_all

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
    wanted = [s for s in specifications() if only is None or fnmatchcase(s.name, only.removeprefix("boolean/"))]
    if not wanted:
        raise PeabenchError(f"No task of the boolean family matches {only!r}; try 'tree-s-*'.")
    if resume:
        wanted = [s for s in wanted if not certified_already(task_record(s, seed), out / s.name)]
    make_all("boolean", list(_jobs(wanted)), partial(make_tasks, out=out, seed=seed), progress, len(wanted))


def _jobs(wanted: list[Specification]) -> Iterator[list[Specification]]:
    """Groups of one network shape and length of training, the longest first."""
    by_shape = sorted(wanted, key=lambda s: (-s.shape.network.d_model, -s.shape.network.n_inputs, s.shape.steps))
    for _, group in groupby(by_shape, key=lambda s: (s.shape.network, s.shape.steps)):
        same = list(group)
        for start in range(0, len(same), TOGETHER):
            yield same[start : start + TOGETHER]


def make_tasks(group: list[Specification], out: Path, seed: int) -> tuple[int, list[str]]:
    """Plant, certify and write the tasks of one shape; returns how many, and what is wrong with those that fail."""
    torch.set_num_threads(1)
    failed: dict[Specification, str] = dict.fromkeys(group, "")
    for start in range(STARTS):
        failed = make_from_one_start(list(failed), out, seed, start)
        if not failed:
            break
    return len(group), [f"{specification.name}: {problem}" for specification, problem in failed.items()]


def make_from_one_start(group: list[Specification], out: Path, seed: int, start: int) -> dict[Specification, str]:
    """The tasks that this start did not bring to their certificate, with what fails."""
    plans = [s.plan(seed) for s in group]
    seeds = [s.weight_seed(seed) + 100_000 * start for s in group]
    targets = Targets.from_plans(plans, seeds)
    networks = [initial_network(p, targets.basis[i], seeds[i]) for i, p in enumerate(plans)]
    tables = Tables.from_plans(plans)
    planter = Planter(
        StackedResidualMLP.from_networks(networks),
        tables,
        targets,
        torch.Generator().manual_seed(seeds[0]),
        pivotal_weights(tables),
    )
    plant(planter, group[0].shape.steps)
    free = train_freely(planter, seeds)
    return {
        specification: problem
        for i, specification in enumerate(group)
        if (problem := finish_task(specification, i, planter, free[i], out, seed))
    }


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


def mend(planter: Planter, rate: float) -> None:
    """A round of training on the hardest rows of large pools."""
    optimiser = torch.optim.AdamW(planter.stack.trainable(), lr=rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=MENDING_STEPS)
    for _ in range(MENDING_STEPS):
        batches, written = planter.losses(planter.pool(4 * POOL))
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


def finish_task(
    specification: Specification, index: int, planter: Planter, free: ResidualMLP, out: Path, seed: int
) -> str | None:
    """Mend and certify one network until every check passes, then write its certificate and card.

    Returns:
        None, or what still fails after the last round; the folder then has no certificate.
    """
    folder = out / specification.name
    (folder / CERTIFICATE_FILE).unlink(missing_ok=True)
    alone = planter.subset([index])
    plan = specification.plan(seed)
    mechanism = build_mechanism(plan, planter.targets.basis[index])
    record = task_record(specification, seed)
    failed = "not certified"
    for attempt in range(MENDING_ROUNDS):
        if int(sampled_errors(alone)) == 0 or attempt % 3 == 2:
            save_task(folder, record, alone.stack.network(0), mechanism, {"twin-free.safetensors": free})
            checks = certify(load_task(folder))
            if all(check.passed for check in checks):
                write_certificate(folder, checks)
                return None
            failed = "; ".join(f"{c.name}: {c.errors} of {c.cases}" for c in checks if not c.passed)
            log.warning("%s after %d rounds of mending: %s", specification.name, attempt, failed)
            single = [check for check in checks if check.name in ("alignment", "edges alone")]
            if attempt and any(check.errors > HOPELESS * check.cases for check in single):
                break  # a gate that was not learnt by now never is
        mend(alone, MENDING_RATES[attempt % len(MENDING_RATES)])
    return failed


def task_record(specification: Specification, seed: int) -> TaskRecord:
    """What `task.json` says of a task."""
    plan = specification.plan(seed)
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
        twins=(
            Twin(name="free", provenance="free", file="twin-free.safetensors"),
            Twin(name="random", provenance="random_init", seed=10_000 + specification.weight_seed(seed)),
        ),
    )


def train_freely(planter: Planter, seeds: list[int]) -> list[ResidualMLP]:
    """Twins of the same shape trained on the same outputs and nothing else, until they are right on fresh pools."""
    config = planter.stack.config
    networks = [build_network(config, torch.Generator().manual_seed(20_000 + s)) for s in seeds]
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
