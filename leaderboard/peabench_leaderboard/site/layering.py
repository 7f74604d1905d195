"""Layered drawing of a graph without cycles: columns from left to right, few crossings, little bending.

After Sugiyama, Tagawa and Toda (1981): nodes in columns, an edge over several columns as a chain of waypoints, order by
barycentres. No graph drawing package is installed with Peabench, and Graphviz is no Python package.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

Node = str
Edge = tuple[Node, Node]
SWEEPS = 12


@dataclass(frozen=True)
class Waypoint:
    """Where an edge passes a column that holds neither of its ends."""

    edge: Edge
    column: int


Stop = Node | Waypoint


@dataclass(frozen=True)
class Layering:
    """Where everything stands, in units of one column and one row."""

    columns: tuple[tuple[Stop, ...], ...]
    """From top to bottom, in each column from left to right."""
    heights: dict[Stop, float]
    """Row of every stop, 0 for the topmost; within a column at least 1 apart, or `waypoint_room` beside a waypoint."""
    chains: dict[Edge, tuple[Stop, ...]]
    """The stops of each edge, its ends among them."""

    def column_of(self, node: Node) -> int:
        """The column of a node."""
        return next(i for i, column in enumerate(self.columns) if node in column)


def layered(nodes: Sequence[Node], edges: Sequence[Edge], waypoint_room: float = 0.6) -> Layering:
    """Nodes as far to the right as their children allow.

    Args:
        nodes: in topological order.
        edges: (parent, child).
        waypoint_room: rows between a waypoint and what stands beside it.
    """
    column = _columns(nodes, edges)
    chains: dict[Edge, tuple[Stop, ...]] = {
        (parent, child): (
            parent,
            *(Waypoint((parent, child), place) for place in range(column[parent] + 1, column[child])),
            child,
        )
        for parent, child in edges
    }
    order: list[list[Stop]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for node in nodes:
        order[column[node]].append(node)
    for chain in chains.values():
        for stop in chain[1:-1]:
            assert isinstance(stop, Waypoint)
            order[stop.column].append(stop)
    links = [link for chain in chains.values() for link in pairwise(chain)]
    order = _uncrossed(order, links)
    return Layering(tuple(map(tuple, order)), _heights(order, links, waypoint_room), chains)


def spread(
    wanted: Sequence[float], gaps: Sequence[float], lowest: float = -np.inf, highest: float = np.inf
) -> list[float]:
    """The positions nearest to those wanted that keep their order and leave room between neighbours.

    Args:
        wanted: in the order that is kept.
        gaps: least distance of each from the one before it; the first is not looked at.
        lowest: no position is below it.
        highest: nor above this one, unless there is no room between the two.

    >>> spread([0.0, 0.0, 5.0], [0.0, 2.0, 1.0])
    [-1.0, 1.0, 5.0]
    >>> spread([0.0, 0.0, 5.0], [0.0, 2.0, 1.0], lowest=0.0)
    [0.0, 2.0, 5.0]
    >>> spread([0.0, 5.0, 5.0], [0.0, 2.0, 1.0], highest=5.0)
    [0.0, 4.0, 5.0]
    """
    if not wanted:
        return []
    room = np.cumsum([0.0, *gaps[1:]])
    within = np.minimum(isotonic_regression(np.asarray(wanted) - room).x, highest - room[-1])
    placed = np.maximum(within, lowest) + room
    return [float(place) for place in placed]


def _columns(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[Node, int]:
    children: dict[Node, list[Node]] = {node: [] for node in nodes}
    for parent, child in edges:
        children[parent].append(child)
    before_end: dict[Node, int] = {}
    for node in reversed(nodes):
        before_end[node] = max((1 + before_end[child] for child in children[node]), default=0)
    last = max(before_end.values(), default=0)
    return {node: last - steps for node, steps in before_end.items()}


def _uncrossed(order: list[list[Stop]], links: Sequence[tuple[Stop, Stop]]) -> list[list[Stop]]:
    """The order with the fewest crossings among those that sweeps by barycentre pass through."""
    before, after = _neighbours(links)
    best, fewest = order, _crossings(order, links)
    for sweep in range(SWEEPS):
        order = [list(column) for column in order]
        forwards = sweep % 2 == 0
        sides, neighbours = (range(1, len(order)), before) if forwards else (range(len(order) - 2, -1, -1), after)
        for i in sides:
            fixed = order[i - 1] if forwards else order[i + 1]
            row = {stop: place for place, stop in enumerate(fixed)}
            own = {stop: place for place, stop in enumerate(order[i])}
            wanted = {
                stop: float(np.mean([row[other] for other in neighbours.get(stop, ())] or [own[stop]]))
                for stop in order[i]
            }
            order[i].sort(key=lambda stop, wanted=wanted, own=own: (wanted[stop], own[stop]))  # type: ignore[misc]
        crossings = _crossings(order, links)
        if crossings < fewest:
            best, fewest = order, crossings
    return best


def _heights(order: list[list[Stop]], links: Sequence[tuple[Stop, Stop]], waypoint_room: float) -> dict[Stop, float]:
    before, after = _neighbours(links)

    def gaps(column: Sequence[Stop]) -> list[float]:
        return [0.0] + [
            waypoint_room if isinstance(one, Waypoint) or isinstance(other, Waypoint) else 1.0
            for one, other in pairwise(column)
        ]

    heights: dict[Stop, float] = {}
    for column in order:
        rows = np.cumsum(gaps(column))[: len(column)]
        heights |= {stop: float(row - rows[-1] / 2) for stop, row in zip(column, rows, strict=True)}
    for sweep in range(SWEEPS):
        for column in order if sweep % 2 == 0 else reversed(order):
            wanted = [
                float(np.mean([heights[other] for other in (*before.get(stop, ()), *after.get(stop, ()))] or [0.0]))
                for stop in column
            ]
            heights |= dict(zip(column, spread(wanted, gaps(column)), strict=True))
    top = min(heights.values(), default=0.0)
    return {stop: height - top for stop, height in heights.items()}


def _neighbours(links: Iterable[tuple[Stop, Stop]]) -> tuple[dict[Stop, list[Stop]], dict[Stop, list[Stop]]]:
    before: dict[Stop, list[Stop]] = {}
    after: dict[Stop, list[Stop]] = {}
    for one, other in links:
        before.setdefault(other, []).append(one)
        after.setdefault(one, []).append(other)
    return before, after


def _crossings(order: Sequence[Sequence[Stop]], links: Sequence[tuple[Stop, Stop]]) -> int:
    place = {stop: (i, row) for i, column in enumerate(order) for row, stop in enumerate(column)}
    between: dict[int, list[tuple[int, int]]] = {}
    for one, other in links:
        between.setdefault(place[one][0], []).append((place[one][1], place[other][1]))
    return sum(
        (a - c) * (b - d) < 0 for spans in between.values() for i, (a, b) in enumerate(spans) for c, d in spans[i + 1 :]
    )
