"""A task with other weights that compute the same, and the mechanism that is true of those."""

from pathlib import Path

import torch

from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.tasks import Task, TaskRecord, companion_folder, load_task, save_task


def save_regauged(folder: Path, task: Task, record: TaskRecord, generator: torch.Generator) -> Task:
    """Write a re-gauged copy of a task and of its companions, without stored twins and certificates.

    Args:
        folder: of the copy.
        task: whose network and mechanism.
        record: of the copy. Those of the companions stay as they are, but for their twins.
        generator: of the gauges.
    """
    network, rotation = random_gauge(task.network(), generator)
    mechanism = task.mechanism if rotation is None else regauge_mechanism(task.mechanism, rotation)
    save_task(folder, record, network, mechanism, {})
    for name, companion in zip(task.record.companions, task.companions, strict=True):
        drawn = tuple(twin for twin in companion.record.twins if twin.file is None)
        theirs = companion.record.model_copy(update={"twins": drawn})
        save_regauged(companion_folder(folder, name), companion, theirs, generator)
    return load_task(folder)
