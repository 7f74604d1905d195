"""A task's page: its card, its mechanism drawn with scorers' answers over it, its certificate, and how to load it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from peabench import tracks
from peabench.catalogue import TaskSummary
from peabench.errors import PeabenchError
from peabench.mechanism import Mechanism
from peabench.results import SCORE, CellResult
from peabench.tasks import Task, load_task
from peabench.tracks.trivial_edges import trivial_edges
from peabench_leaderboard.site.causal_graph import causal_graph, unused
from peabench_leaderboard.site.circuit_answers import CircuitOverlay, circuit_overlay
from peabench_leaderboard.site.circuit_grid import circuit_picture
from peabench_leaderboard.site.contents import AnswersReader, Contents, Row, TaskPlace
from peabench_leaderboard.site.variable_answers import VariableOverlay, certified_places, variable_overlay
from peabench_leaderboard.site.variable_grid import variable_picture


@dataclass(frozen=True)
class Answered:
    """A scorer's cell on this task, and what its answers say, where they are stored."""

    key: str
    """Tells it from the others of its figure."""
    row: Row
    cell: CellResult
    answers: list[dict[str, Any]] | None


def task_context(contents: Contents, place: TaskPlace, read_answers: AnswersReader) -> dict[str, Any]:
    """What the template of a task's page names.

    Raises:
        PeabenchError: a file of the task is damaged.
    """
    assert place.summary is not None
    task = load_task(place.summary.folder)
    mechanism, model = task.mechanism, task.mechanism.causal_model
    answered = {board.track: _answered(board.rows, place, read_answers) for board in contents.boards}
    order = [other for other in contents.tasks if other.page]
    at = order.index(place)
    return {
        "task": place.summary,
        "record": task.record,
        "place": place,
        "formula": model.expanded_text(model.output),
        "output": model.output,
        "unused": unused(model),
        "graph": causal_graph(model),
        "model": model,
        "circuit": _circuit(task, mechanism, answered.get("circuits", [])),
        "variables": _variables(task, mechanism, answered.get("variables", [])),
        "certificate": task.certificate,
        "boards": [(board, answered[board.track]) for board in contents.boards if answered[board.track]],
        "files": files(place.summary),
        "before": order[at - 1] if at > 0 else None,
        "after": order[at + 1] if at + 1 < len(order) else None,
    }


def files(task: TaskSummary) -> list[tuple[str, int, str]]:
    """The files of a task: path below the folder that families are installed in, bytes, SHA-256."""
    found = []
    for file in sorted(path for path in task.folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        content = file.read_bytes()
        found.append((_installed_path(file), len(content), hashlib.sha256(content).hexdigest()))
    return found


def _installed_path(file: Path) -> str:
    """The path from the import package on: what stands before it differs from machine to machine."""
    parts = file.parts
    packages = [i for i in range(1, len(parts)) if (Path(*parts[: i + 1]) / "__init__.py").is_file()]
    return "/".join(parts[packages[0] :] if packages else parts[-2:])


def _answered(rows: Sequence[Row], place: TaskPlace, read_answers: AnswersReader) -> list[Answered]:
    found = []
    for i, row in enumerate(rows):
        cell = row.cells.get(place.key)
        if cell is not None:
            answers = read_answers(cell.key) if cell.status == "ok" else None
            found.append(Answered(f"answer-{i}", row, cell, answers))
    return found


def _circuit(task: Task, mechanism: Mechanism, answered: Sequence[Answered]) -> dict[str, Any] | None:
    """The circuit's picture and the answers over it; None where no circuit is claimed."""
    if mechanism.circuit is None:
        return None
    network = task.network()
    graph, trivial = network.graph, set(trivial_edges(network, task.record.domain))
    candidates = tuple(edge for edge in graph.edges if edge not in trivial)
    overlays: list[CircuitOverlay] = []
    for one in answered:
        scores = one.answers[0].get("scores") if one.answers else None
        if isinstance(scores, Tensor) and scores.shape == (len(candidates),):
            overlays.append(circuit_overlay(one.key, one.row.label, candidates, mechanism.circuit, scores))
    return {
        "picture": circuit_picture(graph, mechanism, overlays),
        "overlays": overlays,
        "statuses": mechanism.circuit,
        "optional": len(mechanism.circuit.edges) - len(mechanism.circuit.required),
        "absent": len(graph.edges) - len(mechanism.circuit.edges),
        "edges": len(graph.edges),
    }


def _variables(task: Task, mechanism: Mechanism, answered: Sequence[Answered]) -> dict[str, Any] | None:
    """The picture of where variables live and the answers over it; None where no inner variable is aligned."""
    places = certified_places(mechanism)
    if not places:
        return None
    asked, sites = _asked(task)
    overlays: list[VariableOverlay] = []
    for one in answered:
        if one.answers and len(one.answers) == len(asked):
            try:
                overlays.append(
                    variable_overlay(one.key, one.row.label, mechanism, asked, one.answers, _scores(one.cell.questions))
                )
            except (PeabenchError, KeyError, RuntimeError):  # answers of another shape than this task's
                continue
    return {
        "picture": variable_picture(places, asked, sites, overlays),
        "overlays": overlays,
        "places": places,
        "asked": asked,
    }


def _asked(task: Task) -> tuple[list[str], list[str]]:
    """The variables that the track asks about, and all sites that it offers."""
    if "variables" not in task.record.tracks:
        return [], []
    questions = tracks.get("variables").questions(task, 0)
    sites = list(dict.fromkeys(site for question in questions for site in question.sites))
    return [question.variable for question in questions], sites


def _scores(questions: Sequence[Mapping[str, float]]) -> list[float | None]:
    return [question.get(SCORE) for question in questions]
