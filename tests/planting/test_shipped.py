"""What makes the planted transformers hard is in the weights that ship."""

import re

import pytest
import torch
from torch import Tensor

from peabench.catalogue import installed_tasks
from peabench.interventions import sweep_edges
from peabench.tasks import Task, load_task
from peabench.tracks.circuits import TRACK

PAIRS = 64
"""Few enough for seconds; the certificates hold to the same on thousands of them."""
LARGE = re.compile(r"wide|-[ml]-[12]")
"""Left out, as they take minutes."""
FAMILIES = ("programs", "name_mover")
FOLDERS = {task.id: task.folder for task in installed_tasks() if task.family in FAMILIES and not LARGE.search(task.id)}


def moved_and_changed(task: Task) -> tuple[dict[str, float], dict[str, float]]:
    """How far patching each edge alone moves the logits, and how often it changes the answer."""
    question = TRACK.questions(task, 0)[0]
    network, base, source = question.network, question.base[:PAIRS], question.source[:PAIRS]
    with torch.inference_mode():
        clean = network(base)[:, -1]
        right = clean.argmax(-1)

        def distance(logits: Tensor) -> Tensor:
            far: Tensor = (logits[..., -1, :] - clean).abs().amax(-1)
            return far

        def differs(logits: Tensor) -> Tensor:
            wrong: Tensor = (logits[..., -1, :].argmax(-1) != right).double()
            return wrong

        moved, changed = (
            sweep_edges(network, base, source, metric, edges=question.edges).mean(1).tolist()
            for metric in (distance, differs)
        )
    return dict(zip(question.edges, moved, strict=True)), dict(zip(question.edges, changed, strict=True))


@pytest.mark.parametrize("name", FOLDERS)
def test_absent_edges_move_the_logits_and_no_answer(name: str) -> None:
    task = load_task(FOLDERS[name])
    circuit = task.mechanism.circuit
    assert circuit is not None
    listed = {edge.edge for edge in circuit.edges}
    moved, changed = moved_and_changed(task)
    absent = [edge for edge in moved if edge not in listed]
    assert max(moved[edge] for edge in absent) > 0.04 * max(moved.values())
    assert max(changed[edge] for edge in absent) == 0
    assert max(changed[edge] for edge in listed) > 0.1
    if "exception" in task.record.description:
        assert min(moved[edge] for edge in listed) < sorted(moved[edge] for edge in absent)[-5]
