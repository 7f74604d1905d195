"""From a plan, or from outputs alone, to a network that is certified by itself, with the rival formulas."""

from pathlib import Path

import torch

from peabench.errors import PeabenchError
from peabench.generators import generator_of
from peabench.mechanism import AlgorithmClaim
from peabench.networks.config import ResidualMLPConfig
from peabench.tasks import TaskRecord
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.dormant import certify_with_dormant
from peabench_tasks.boolean.formulas import Formula
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.planting import Planter, initial_network, pivotal_weights
from peabench_tasks.boolean.tables import Tables
from peabench_tasks.boolean.targets import Targets
from peabench_tasks.boolean.tutoring import tutor
from peabench_tasks.margins import MARGIN
from peabench_tasks.production import certify_in, failures
from peabench_tasks.ways.mechanism import memorised, planted
from peabench_tasks.ways.memoriser import memorise
from peabench_tasks.ways.strengths import with_strengths
from peabench_tasks.ways.two_logits import with_two_logits

LESSONS = 300
"""In which each unit learns its gate by itself, at a network's first start; at its second twice as many, and so on."""
UNEVEN = 1e-3
"""How far a logit may be from the one or the other."""


def plant_together(plans: list[Plan], seeds: list[int], lessons: int = LESSONS) -> list[Planter]:
    """One planter for each plan, all of them trained at once."""
    targets = Targets.from_plans(plans, seeds)
    networks = [initial_network(plan, targets.basis[i], seeds[i]) for i, plan in enumerate(plans)]
    tables = Tables.from_plans(plans)
    stack = StackedResidualMLP.from_networks(networks)
    planter = Planter(stack, tables, targets, generator_of(seeds[0]), pivotal_weights(tables))
    tutor(planter, lessons)
    return [planter.subset([i]) for i in range(len(plans))]


def finish_planted(
    record: TaskRecord, folder: Path, claim: AlgorithmClaim, seed: int, plan: Plan, planter: Planter
) -> str | None:
    """Give one network its strengths and two logits, and certify it; None, or what fails."""
    basis = planter.targets.basis[0]
    network = with_strengths(with_two_logits(planter.stack.network(0), plan, basis), plan, basis)
    with torch.no_grad():
        uneven = float((network(record.domain.all()).abs() - MARGIN).abs().max())
    if not uneven <= UNEVEN:  # what never changes is not a number here
        return f"a gate was not learnt: a logit is {uneven:.3f} off"
    checks = certify_with_dormant(folder, record, plan, seed, network, planted(plan, basis, claim), {})
    return failures(checks)


def make_memoriser(
    record: TaskRecord, folder: Path, claim: AlgorithmClaim, seed: int, formula: Formula, config: ResidualMLPConfig
) -> str | None:
    """Train a network on the outputs alone and certify it; None, or what fails."""
    try:
        network = memorise(formula, config, seed)
    except PeabenchError as error:
        return str(error)
    return certify_in(folder, record, network, memorised(formula, claim))
