"""`python -m peabench_tasks.multitask_parity.knockouts [GLOB]`: which subtasks fail without a unit, as Markdown.

A unit is knocked out by having it write, on every input, what it writes on average where its variable is false.
"""

import sys

import torch

from peabench.catalogue import bundled_tasks, select
from peabench.errors import PeabenchError
from peabench.interventions import EdgePatch, run_patched, run_with_cache
from peabench.mechanism import to_text
from peabench.tasks import Task, load_task
from peabench_tasks.commands import print_table, run
from peabench_tasks.multitask_parity.specifications import MultitaskParity

FAMILY = "multitask_parity"
HEADINGS = ("task", "unit", "variable", "wrong where the control is true", "wrong where it is false")


def main() -> None:
    """A row for each unit that writes a variable, of all shipped tasks of the family that match."""
    rows = []
    for found in select([task for task in bundled_tasks() if task.family == FAMILY], sys.argv[1:] or ["*"]):
        task = load_task(found.folder)
        of_unit, model = units(task), task.mechanism.causal_model
        for name, wrong in wrong_without(task).items():
            function = model.variable(name).function
            claimed = to_text(function) if function is not None else name
            rows.append([f"`{task.record.id}`", of_unit[name], f"`{claimed}`", *map(str, wrong)])
    print_table(HEADINGS, rows, texts=3)


def control(task: Task) -> str:
    """Name of the input that says which subtask is asked for."""
    record = task.record
    return MultitaskParity(record.variant, record.size, record.seed).inputs["S"]


def units(task: Task) -> dict[str, str]:
    """Each inner variable with the unit that writes it, by the certified circuit.

    Raises:
        PeabenchError: the task has no circuit.
    """
    model, circuit = task.mechanism.causal_model, task.mechanism.circuit
    if circuit is None:
        raise PeabenchError(f"{task.record.id} has no circuit; name another task.")
    writers = {parent: edge.edge.split(" <- ")[1] for edge in circuit.edges for parent, _ in edge.carries}
    return {name: writers[name] for name in model.inner}


def wrong_without(task: Task) -> dict[str, tuple[int, int]]:
    """For each inner variable, without its unit: wrong outputs where the control is true and where it is false.

    On every input of the domain.
    """
    model, network, rows = task.mechanism.causal_model, task.network(), task.record.domain.all()
    values = model.run(model.read_inputs(rows))
    ran = run_with_cache(network, rows)
    asked = values[control(task)]
    found = {}
    for name, unit in units(task).items():
        node = network.graph.nodes.index(unit)
        silent = ran.nodes[node, ~values[name]].mean(0)
        mask = torch.zeros(1, *network.graph.exists.shape)
        mask[:, :, node] = 1
        nodes = ran.nodes.mean(1, keepdim=True).clone()
        nodes[node, 0] = silent
        logits = run_patched(network, ran, [EdgePatch(mask * network.graph.exists, nodes[:, None])])[0]
        wrong = (logits[:, -1, 0] > 0) != values[model.output]
        found[name] = int((wrong & asked).sum()), int((wrong & ~asked).sum())
    return found


if __name__ == "__main__":
    run(main)
