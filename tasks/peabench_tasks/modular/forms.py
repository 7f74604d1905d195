"""`python -m peabench_tasks.modular.forms`: what tells clocks and pizzas apart, measured on the shipped networks."""

import sys
from collections.abc import Iterator

import torch

from peabench.certification.adder import Adder
from peabench.tasks import Task, load_task
from peabench_tasks.commands import expect_no_arguments, run
from peabench_tasks.modular.family import MODULAR

PUBLISHED = {
    "attention coefficient below .2 (published)": (0.994, 0.22),
    "attention coefficient above .9 (published)": (0.45, 0.83),
}
"""Median gradient symmetricity and distance irrelevance of the networks of github.com/fjzzq2002/pizza, by the
coefficient of attention: 0 is constant attention, 1 is attention as usual."""


def main() -> None:
    """Print a table in Markdown: the shipped networks of either form, their medians, the published ones."""
    expect_no_arguments()
    lines = [
        "| network | key frequencies | gradient symmetricity | distance irrelevance | wrong with even attention |",
        "|---|---|---:|---:|---:|",
    ]
    found: dict[str, list[dict[str, float]]] = {}
    for task in shipped():
        metrics = Adder.of(task.network(), task.record.domain.sizes[0], 1).form_metrics
        found.setdefault(task.record.variant, []).append(metrics)
        lines.append(row(task.record.id, ", ".join(map(str, frequencies(task))), list(metrics.values())))
    for form, some in found.items():
        values = torch.tensor([list(metrics.values()) for metrics in some]).double()
        lines.append(row(f"median of {len(some)}: {form}", "", values.quantile(0.5, dim=0).tolist()))
    for name, published in PUBLISHED.items():
        lines.append(row(name, "", list(published)))
    sys.stdout.writelines(f"{line}\n" for line in lines)


def shipped() -> Iterator[Task]:
    """The family's transformers."""
    for folder in sorted(MODULAR.checkpoints.iterdir()):
        task = load_task(folder)
        if task.record.network.kind == "transformer":
            yield task


def frequencies(task: Task) -> tuple[int, ...]:
    """The certified key frequencies."""
    algorithm = task.mechanism.algorithm
    hypotheses = algorithm.hypotheses if algorithm else ()
    return next(h.frequencies for h in hypotheses if h.holds and h.frequencies is not None)


def row(name: str, keys: str, values: list[float]) -> str:
    """One line of the table; missing figures stay empty."""
    cells = [f"{value:.3f}" for value in values]
    return f"| {' | '.join([name, keys, *cells, *[''] * (3 - len(cells))])} |"


if __name__ == "__main__":
    run(main)
