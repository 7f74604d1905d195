"""What is particular to shipped tasks of networks put together from units: margins and strengths."""

from itertools import combinations
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score
from tests.units.test_families import name_of

from peabench.certification import certify
from peabench.interventions import run_with_cache, site_values
from peabench.tasks import Task, load_task
from peabench_tasks.facts.family import FACTS
from peabench_tasks.facts.specifications import specifications as facts
from peabench_tasks.margins import MARGIN, mean_margin
from peabench_tasks.tracking.family import TRACKING
from peabench_tasks.tracking.specifications import specifications as tracking
from peabench_tasks.units.specification import PLAIN, Specification

CHECKPOINTS = {family.name: family.checkpoints for family in (TRACKING, FACTS)}
LISTED = [*tracking(), *facts()]


def folder_of(specification: Specification) -> Path:
    return CHECKPOINTS[specification.family] / specification.name


SHIPPED = [specification for specification in LISTED if folder_of(specification).exists()]


@pytest.mark.parametrize("specification", SHIPPED, ids=name_of)
def test_four_networks_have_the_same_mean_margin(specification: Specification) -> None:
    task = load_task(folder_of(specification))
    networks = [task.network(), *(companion.network() for companion in task.companions)]
    assert len(networks) == 4
    for network in networks:
        assert mean_margin(network, task.record.domain) == pytest.approx(MARGIN, rel=1e-4)


def what_is_read_is_strong(task: Task) -> bool:
    """Whether the first variable that a network reads varies more, along an axis, than the first that nobody does."""
    mechanism, network = task.mechanism, task.network()
    ran = run_with_cache(network, task.record.domain.all())
    read = mechanism.alignment(mechanism.causal_model.inner[0]).location
    assert read.basis is not None
    unread = mechanism.features[0]
    axes = (read.site, mechanism.tensor(read.basis)), (unread.site, mechanism.tensor(unread.direction)[:, None])
    inside, beside = ((site_values(network, ran, site)[:, 0] @ axis).var(0).mean() for site, axis in axes)
    return bool(inside > beside)


@pytest.mark.parametrize("specification", [s for s in SHIPPED if s.variant != PLAIN], ids=name_of)
def test_to_rank_pairs_by_what_is_strong_is_chance(specification: Specification) -> None:
    task = load_task(folder_of(specification))
    truths = {member.name: member.truth for member in specification.members(0)}
    networks = dict(zip(("own", *task.record.companions), (task, *task.companions), strict=True))
    strong = {
        name: what_is_read_is_strong(some) == (truths[name] == specification.truths[0])
        for name, some in networks.items()
    }
    pairs = list(combinations(networks, 2))
    same = [truths[a] == truths[b] for a, b in pairs]
    assert roc_auc_score(same, [strong[a] == strong[b] for a, b in pairs]) == 0.5


def test_a_shipped_task_is_certified_from_its_files() -> None:
    smallest = min(map(folder_of, SHIPPED), key=lambda folder: (folder / "model.safetensors").stat().st_size)
    task = load_task(smallest)
    assert all(check.passed for check in certify(task))
