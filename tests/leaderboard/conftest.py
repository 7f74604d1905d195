"""The small site, built once."""

from collections.abc import Callable
from typing import Any

import pytest
from small_site import FAILURE, HOSTILE, SCORERS, SCORERS_OF_VARIABLES, TASKS, Site, made_up_answers

from peabench.catalogue import installed_tasks
from peabench.results import CellKey, CellResult, read_all
from peabench.tasks import load_task
from peabench_leaderboard.command import PACKAGED
from peabench_leaderboard.site.build import contents_of, site_files, write_site
from peabench_leaderboard.site.contents import Contents


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
    """The same, with hostile scorers among them, one of which fails on a task that another declines."""
    model = [result for result in chosen if (result.key.track, result.key.scorer) == ("circuits", "weight-norm")]
    found = list(chosen)
    for i, name in enumerate(HOSTILE):
        for result in model:
            update: dict[str, Any] = {"key": result.key.model_copy(update={"scorer": name})}
            if i == 0 and result.key.task == TASKS[0]:
                update |= {"status": "failed", "reason": FAILURE, "metrics": {}, "cost": None}
            if i == 1 and result.key.task == TASKS[0]:
                update |= {"status": "declined", "reason": "Not mine", "metrics": {}, "cost": None}
            found.append(result.model_copy(update=update))
    return found


@pytest.fixture(scope="session")
def answers() -> Callable[[CellKey], list[dict[str, Any]] | None]:
    return made_up_answers({task.id: load_task(task.folder) for task in installed_tasks() if task.id in TASKS})


@pytest.fixture(scope="session")
def contents(results: list[CellResult]) -> Contents:
    return contents_of(results, "0123456789ab")


@pytest.fixture(scope="session")
def site(contents: Contents, answers: Any, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site of the results, in a folder whose name needs escaping too."""
    folder = tmp_path_factory.mktemp("site") / "a site #1"
    write_site(site_files(contents, answers), folder)
    return Site(folder, contents)
