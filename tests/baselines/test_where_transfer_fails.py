"""Why transfer of interchanges tells no mechanisms apart in transformers and on clocks (`docs/universality.md`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch

from peabench.tasks import load_task
from peabench.tracks.pairs import predicted_class
from peabench_baselines.universality.interchange_transfer import (
    FITTED,
    PAIRS,
    interchanged,
    sensitive_directions,
    subspaces,
    varying,
)
from peabench_baselines.universality.streams import fitted_map, streams
from peabench_tasks.distributive.family import DISTRIBUTIVE
from peabench_tasks.modular.family import MODULAR


@dataclass(frozen=True)
class Found:
    """What one network reads before its last stage, looked for in another's activations."""

    itself: bool
    explained: float
    """Share of the variance of the one's coordinates that is predicted from the other's activations."""
    read: float
    """Share of the first direction found that lies where the other is sensitive itself."""
    changed: float
    """Share of the outputs of the other that interchanges of what was found change."""


def found_before_the_last_stage(folder: Path) -> Iterator[Found]:
    """Of every two of a task's networks, and of each with itself."""
    task = load_task(folder)
    domain, generator = task.record.domain, torch.Generator().manual_seed(0)
    rows = [domain.sample(count, generator) for count in (PAIRS, PAIRS, FITTED)]
    share = torch.rand(PAIRS, 1, generator=generator)
    runs = [
        [streams(network, some) for some in rows]
        for network in (task.network(), *(companion.network() for companion in task.companions))
    ]
    stage = runs[0][0].stages[-1]
    sensitive = [varying(run[2], stage, sensitive_directions(run[0], run[1], stage, share)) for run in runs]
    for one, other in product(range(len(runs)), repeat=2):
        coordinates = runs[one][2].features(stage) @ sensitive[one]
        base, source, fitting = runs[other]
        features = fitting.features(stage)
        fitted = fitted_map(features, coordinates)
        rest = (coordinates - fitted(features)).var(0).sum() / coordinates.var(0).sum()
        first = torch.nn.functional.normalize(fitted.weights[:, 0], dim=0)
        read = (torch.linalg.qr(sensitive[other]).Q.T @ first).square().sum()
        predicted = interchanged(base, source, stage, subspaces(fitted.weights))
        changed = (predicted != predicted_class(base.run.logits)).double().mean()
        yield Found(one == other, 1 - float(rest), float(read), float(changed))


def test_in_transformers_what_predicts_best_is_read_in_part_and_less_than_half_of_a_step_changes_nothing() -> None:
    for found in found_before_the_last_stage(DISTRIBUTIVE.checkpoints / "attending-s-1"):
        assert found.explained > 0.99
        assert (found.changed > 0.3) == (found.read > 0.5)
        assert found.changed > 0.3 or found.changed == 0
        assert found.read > 0.9 or not found.itself
        assert found.read < 0.9 or found.itself


def test_what_a_clock_reads_is_little_of_what_another_network_has_and_moves_nothing_there() -> None:
    for found in found_before_the_last_stage(MODULAR.checkpoints / "clock-s-0"):
        if found.itself:
            assert found.explained > 0.99
            assert found.changed > 0.1
        else:
            assert found.explained < 0.7
            assert found.read < 0.15
            assert found.changed == 0
