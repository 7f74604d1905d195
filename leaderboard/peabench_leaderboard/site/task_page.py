"""A task's page: its card, its mechanism drawn with scorers' answers over it, its certificate, and how to load it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from peabench.belief_lines import belief_lines
from peabench.errors import PeabenchError
from peabench.feature_geometry import feature_geometry
from peabench.feature_picture import percent
from peabench.hypothesis_rows import hypothesis_rows, network_rows, training_lines
from peabench.mechanism import Mechanism
from peabench.networks import Graph
from peabench.results import SCORE, CellResult
from peabench.tasks import Task, load_task
from peabench.tracks.trivial_edges import trivial_edges
from peabench.tracks.variables import asked_variables, candidate_sites
from peabench_leaderboard.site.causal_graph import causal_graph, unused
from peabench_leaderboard.site.circuit_answers import CircuitOverlay, circuit_overlay, circuit_targets
from peabench_leaderboard.site.circuit_grid import circuit_picture
from peabench_leaderboard.site.contents import AnswersReader, Contents, Row, TaskPlace
from peabench_leaderboard.site.feature_grid import feature_grid, nearest_to
from peabench_leaderboard.site.task_files import task_files
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
    graph = task.network().graph
    answered = {board.track: _answered(board.rows, place, read_answers) for board in contents.boards}
    order = [other for other in contents.tasks if other.page]
    at = order.index(place)
    return {
        "task": place.summary,
        "record": task.record,
        "place": place,
        "formula": model.formula_lines(),
        "unused": unused(model),
        "graph": causal_graph(model),
        "model": model,
        "circuit": _circuit(task, mechanism, graph, answered.get("circuits", [])),
        "variables": _variables(task, mechanism, graph, answered.get("variables", [])),
        "hypotheses": hypothesis_rows(mechanism.algorithm, task.certificate),
        "networks": network_rows(task),
        "trained": training_lines(task),
        "features": _features(task, mechanism),
        "beliefs": belief_lines(mechanism.beliefs, task.certificate),
        "certificate": task.certificate,
        "boards": [(board, answered[board.track]) for board in contents.boards if answered[board.track]],
        "files": task_files(place.summary),
        "before": order[at - 1] if at > 0 else None,
        "after": order[at + 1] if at + 1 < len(order) else None,
    }


def _answered(rows: Sequence[Row], place: TaskPlace, read_answers: AnswersReader) -> list[Answered]:
    found = []
    for i, row in enumerate(rows):
        cell = row.cells.get(place.key)
        if cell is not None:
            answers = read_answers(cell.key) if cell.status == "ok" else None
            found.append(Answered(f"answer-{i}", row, cell, answers))
    return found


def _circuit(task: Task, mechanism: Mechanism, graph: Graph, answered: Sequence[Answered]) -> dict[str, Any] | None:
    """The circuit's picture and the answers over it; None where no circuit is claimed."""
    if mechanism.circuit is None:
        return None
    trivial = set(trivial_edges(task.network(), task.record.domain))
    edges = tuple(edge for edge in graph.edges if edge not in trivial)
    candidates = circuit_targets(edges, mechanism.circuit)
    overlays: list[CircuitOverlay] = []
    for one in answered:
        scores = one.answers[0].get("scores") if one.answers else None
        if isinstance(scores, Tensor) and scores.shape == (len(edges),):
            graded = one.cell.metrics.get("average_precision")
            overlays.append(circuit_overlay(one.key, one.row.label, edges, candidates, scores, graded))
    return {
        "picture": circuit_picture(graph, mechanism, overlays),
        "overlays": overlays,
        "statuses": mechanism.circuit,
        "optional": len(mechanism.circuit.edges) - len(mechanism.circuit.required),
        "absent": len(graph.edges) - len(mechanism.circuit.edges),
        "edges": len(graph.edges),
    }


def _variables(task: Task, mechanism: Mechanism, graph: Graph, answered: Sequence[Answered]) -> dict[str, Any] | None:
    """The picture of where variables live and the answers over it; None where no inner variable is aligned."""
    places = certified_places(mechanism)
    if not places:
        return None
    asked, sites = _asked(task, graph)
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


def _features(task: Task, mechanism: Mechanism) -> list[dict[str, Any]]:
    """For each site with features its picture, and a line about each feature."""
    return [
        {
            "geometry": geometry,
            "picture": feature_grid(f"features-{number}", geometry),
            "lines": [
                (name, percent(rate), *nearest_to(geometry, i))
                for i, (name, rate) in enumerate(zip(geometry.names, geometry.rates.tolist(), strict=True))
            ],
        }
        for number, geometry in enumerate(feature_geometry(mechanism, task.record.domain))
    ]


def _asked(task: Task, graph: Graph) -> tuple[list[str], list[str]]:
    """The variables that the track asks about, and all sites that it offers."""
    if "variables" not in task.record.tracks:
        return [], []
    asked = asked_variables(task)
    sites = (site for variable in asked for site in candidate_sites(task.mechanism, variable, graph))
    return asked, list(dict.fromkeys(sites))


def _scores(questions: Sequence[Mapping[str, float]]) -> list[float | None]:
    return [question.get(SCORE) for question in questions]
