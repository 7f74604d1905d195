"""A small site: a few of the core suite's tasks and scorers, made-up answers, and names from outside that mean harm."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from peabench.catalogue import installed_tasks
from peabench.results import CellKey, CellResult, read_all
from peabench.tasks import Task, load_task
from peabench.tracks.locations import residual_locations
from peabench.tracks.variables import asked_variables
from peabench_leaderboard.command import PACKAGED
from peabench_leaderboard.site.build import contents_of, site_files, write_site
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


@pytest.fixture(scope="session")
def committed() -> list[CellResult]:
    """The results that travel with the package."""
    results, problems = read_all(PACKAGED)
    assert not problems
    return results


@pytest.fixture(scope="session")
def chosen(committed: list[CellResult]) -> list[CellResult]:
    """A few of them, without anything hostile."""
    names = {"circuits": SCORERS, "variables": SCORERS_OF_VARIABLES}
    return [one for one in committed if one.key.task in TASKS and one.key.scorer in names.get(one.key.track, ())]


@pytest.fixture(scope="session")
def results(chosen: list[CellResult]) -> list[CellResult]:
    """The same, with hostile scorers among them, one of which fails on a task."""
    model = [result for result in chosen if (result.key.track, result.key.scorer) == ("circuits", "weight-norm")]
    found = list(chosen)
    for i, name in enumerate(HOSTILE):
        for result in model:
            update: dict[str, Any] = {"key": result.key.model_copy(update={"scorer": name})}
            if i == 0 and result.key.task == TASKS[0]:
                update |= {"status": "failed", "reason": FAILURE, "metrics": {}, "cost": None}
            found.append(result.model_copy(update=update))
    return found


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


@pytest.fixture(scope="session")
def answers() -> Callable[[CellKey], list[dict[str, Any]] | None]:
    return made_up_answers({task.id: load_task(task.folder) for task in installed_tasks() if task.id in TASKS})


@pytest.fixture(scope="session")
def contents(results: list[CellResult]) -> Contents:
    return contents_of(results, "0123456789ab", verified=False)


@pytest.fixture(scope="session")
def site(contents: Contents, answers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site of the results, in a folder whose name needs escaping too."""
    folder = tmp_path_factory.mktemp("site") / "a site #1"
    write_site(site_files(contents, answers), folder)
    yield Site(folder, contents)
