"""A task with other weights that compute the same, and the mechanism that is true of those."""

from pathlib import Path

import torch

from peabench.networks.gauge import random_gauge, regauge_mechanism
from peabench.tasks import Task, TaskRecord, load_task, save_task


def save_regauged(folder: Path, task: Task, record: TaskRecord, generator: torch.Generator) -> Task:
    """Write a re-gauged copy of a task, without its stored twins and its certificate.

    Args:
        folder: of the copy.
        task: whose network and mechanism.
        record: of the copy.
        generator: of the gauge.
    """
    network, rotation = random_gauge(task.network(), generator)
    mechanism = task.mechanism if rotation is None else regauge_mechanism(task.mechanism, rotation)
    save_task(folder, record, network, mechanism, {})
    return load_task(folder)
