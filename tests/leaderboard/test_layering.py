"""Layered drawing."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from peabench_leaderboard.site.layering import Waypoint, layered, spread


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    nodes = [f"n{i}" for i in range(draw(st.integers(1, 9)))]
    pairs = [(nodes[i], nodes[j]) for j in range(len(nodes)) for i in range(j)]
    return nodes, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


@given(graphs())
def test_every_edge_runs_to_the_right_through_each_column_on_its_way(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    nodes, edges = graph
    layering = layered(nodes, edges)
    column = {stop: i for i, stops in enumerate(layering.columns) for stop in stops}
    assert {stop for stop in column if not isinstance(stop, Waypoint)} == set(nodes)
    assert set(layering.chains) == set(edges)
    for (parent, child), chain in layering.chains.items():
        assert (chain[0], chain[-1]) == (parent, child)
        assert [column[stop] for stop in chain] == list(range(column[parent], column[child] + 1))


@given(graphs())
def test_nodes_of_a_column_do_not_overlap(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    layering = layered(*graph)
    for stops in layering.columns:
        rows = [layering.heights[stop] for stop in stops if not isinstance(stop, Waypoint)]
        assert all(after - before >= 1 - 1e-9 for before, after in pairwise(rows))
    assert min(layering.heights.values()) == 0


def test_crossings_that_need_not_be_are_taken_out() -> None:
    layering = layered(["a", "b", "x", "y", "z"], [("a", "y"), ("b", "x"), ("x", "z"), ("y", "z")])
    rows = layering.heights
    assert (rows["a"] - rows["b"]) * (rows["y"] - rows["x"]) > 0


@given(st.lists(st.floats(0, 20), min_size=1, max_size=5), st.floats(0.5, 3))
def test_spread_moves_as_little_as_a_general_optimiser_finds(wanted: list[float], gap: float) -> None:
    wanted = sorted(wanted)
    gaps = [gap] * len(wanted)
    placed = np.array(spread(wanted, gaps, lowest=1.0))
    assert placed[0] >= 1 - 1e-9
    assert (np.diff(placed) >= gap - 1e-9).all()
    apart = [{"type": "ineq", "fun": lambda x, i=i: x[i + 1] - x[i] - gap} for i in range(len(wanted) - 1)]
    start = 1.0 + gap * np.arange(len(wanted)) + max(wanted)
    best = minimize(
        lambda x: ((x - wanted) ** 2).sum(), start, constraints=[*apart, {"type": "ineq", "fun": lambda x: x[0] - 1}]
    )
    assert ((placed - wanted) ** 2).sum() <= best.fun + 1e-4
