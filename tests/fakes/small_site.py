"""A small site: a few of the core suite's tasks and scorers, made-up answers, and names from outside that mean harm."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from peabench.catalogue import installed_tasks, select
from peabench.results import CellKey
from peabench.tasks import Task, load_task
from peabench.tracks.locations import residual_locations
from peabench.tracks.variables import asked_variables
from peabench_leaderboard.site.contents import Contents

TASKS = ("boolean/decoy-s-0", "boolean/redundant-s-0", "boolean/tree-s-0", "boolean/tree-s-1", "boolean/tree-xs-0")
SCORERS = ("oracle", "eap", "weight-norm", "random-edges", "structural-null")
SCORERS_OF_VARIABLES = ("oracle", "das", "mean-difference", "random-subspace")
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "../../x",
    "javascript:alert(3)",
    "</script><script>alert(4)</script>",
    "{{ 7 * 7 }}",
    "a\u2028b",
    "=1+1",
)
FAILURE = "Out of memory <b>at</b> 4 GiB"


@dataclass(frozen=True)
class Site:
    """A built site."""

    folder: Path
    contents: Contents

    def address(self, page: str, state: str = "") -> str:
        return (self.folder / page).as_uri() + state


def circuit_size(task: str) -> int:
    """Edges of a task's smallest circuit that suffices."""
    circuit = load_task(select(installed_tasks(), [task])[0].folder).mechanism.circuit
    assert circuit is not None
    return min(map(len, circuit.sufficient))


def made_up_answers(tasks: dict[str, Task]) -> Callable[[CellKey], list[dict[str, Any]] | None]:
    """`oracle` answers with the truth. `eap` takes one absent edge for a required one, and `das` puts every variable at
    the last site. Nobody else's answers are stored.
    """

    def read(key: CellKey) -> list[dict[str, Any]] | None:
        task = tasks[key.task]
        if key.track == "circuits" and key.scorer in ("oracle", "eap"):
            circuit = task.mechanism.circuit
            assert circuit is not None
            edges = task.network().graph.edges
            status = circuit.statuses(edges)
            scores = torch.tensor([float(edge in circuit.sufficient[0]) for edge in edges])
            if key.scorer == "eap":
                scores[edges.index(sorted(circuit.required)[0])] = 0.0
                scores[next(i for i, edge in enumerate(edges) if status[edge] == "absent")] = 1.0
            return [{"scores": scores}]
        if key.track == "variables" and key.scorer in ("oracle", "das"):
            answers = []
            for variable in asked_variables(task):
                site, basis = residual_locations(task.mechanism, variable)[0]
                last = f"resid.{task.network().graph.n_blocks}@0"
                answers.append({"site": last if key.scorer == "das" else site, "basis": basis})
            return answers
        return None

    return read
