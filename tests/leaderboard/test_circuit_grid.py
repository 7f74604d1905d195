"""Circuits on a grid."""

import re
from xml.etree import ElementTree

import pytest

from peabench.catalogue import installed_tasks, select
from peabench.mechanism import EdgeAddress, Mechanism
from peabench.networks import ResidualMLPConfig, TransformerConfig
from peabench.networks.graph import Graph, residual_mlp_graph, transformer_graph
from peabench.tasks import load_task
from peabench_leaderboard.site.circuit_answers import CircuitOverlay
from peabench_leaderboard.site.circuit_grid import NODE_HEIGHT, NODE_WIDTH, Grid, circuit_picture, computed_by

GRAPHS = [
    residual_mlp_graph(ResidualMLPConfig(n_inputs=5, d_model=4, n_blocks=3, n_units=2, d_hidden=2)),
    transformer_graph(
        TransformerConfig(
            d_vocabulary=4, n_positions=3, d_model=4, n_blocks=2, n_heads=3, d_head=2, d_mlp=4, d_output=4
        )
    ),
]


@pytest.mark.parametrize("graph", GRAPHS)
def test_nodes_stand_apart_and_inside_the_drawing(graph: Graph) -> None:
    grid = Grid(graph)
    assert set(grid.places) == {*graph.nodes, "output"}
    centres = [grid.centre(node) for node in grid.places]
    width, height = grid.size
    for i, (x, y) in enumerate(centres):
        assert NODE_WIDTH / 2 <= x <= width - NODE_WIDTH / 2
        assert NODE_HEIGHT / 2 <= y <= height - NODE_HEIGHT / 2
        assert all(abs(x - u) >= NODE_WIDTH or abs(y - v) >= NODE_HEIGHT for u, v in centres[i + 1 :])


@pytest.mark.parametrize("graph", GRAPHS)
def test_an_edge_joins_its_ends_and_passes_behind_no_other_node(graph: Graph) -> None:
    grid = Grid(graph)
    for edge in graph.edges:
        address = EdgeAddress.parse(edge)
        source, reader = grid.centre(str(address.source)), grid.centre(str(address.reader.node))
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", grid.path(edge))]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        assert points[0] == pytest.approx((source[0] + NODE_WIDTH / 2, source[1]), abs=0.06)
        assert points[-1][0] == pytest.approx(reader[0] - NODE_WIDTH / 2, abs=0.06)
        assert abs(points[-1][1] - reader[1]) < NODE_HEIGHT / 2
        for node in {*graph.nodes, "output"} - {str(address.source), str(address.reader.node)}:
            x, y = grid.centre(node)
            crossing = [v for u, v in points if abs(u - x) <= NODE_WIDTH / 2 + 0.1]
            assert all(abs(v - y) > NODE_HEIGHT / 2 for v in crossing), (edge, node)


def test_every_edge_of_the_circuit_is_drawn_with_what_it_carries() -> None:
    task = load_task(select(installed_tasks(), ["boolean/redundant-s-0"])[0].folder)
    circuit = task.mechanism.circuit
    assert circuit is not None
    overlay = CircuitOverlay("answer-1", "x", found=(circuit.edges[0].edge,), missed=(), false=(), average_precision=1)
    picture = ElementTree.fromstring(circuit_picture(task.network().graph, task.mechanism, [overlay]))
    truth = next(group for group in picture.iter("g") if group.get("class") == "truth")
    titles = [title.text or "" for title in truth.iter("title")]
    assert [title.partition(": ")[0] for title in titles] == [item.edge for item in circuit.edges]
    kinds = [path.get("class") for path in truth.iter("path")]
    assert kinds == [f"edge {item.status}" for item in circuit.edges]
    absent = next(path for path in picture.iter("path") if path.get("class") == "absent")
    assert (absent.get("d") or "").count("M") == len(task.network().graph.edges) - len(circuit.edges)
    drawn = next(group for group in picture.iter("g") if group.get("data-answer") == "answer-1")
    assert [group.get("class") for group in drawn] == ["found"]


def test_a_node_is_named_after_what_it_computes_and_an_input_after_what_it_reads() -> None:
    edge = {"status": "required"}
    mechanism = Mechanism.model_validate(
        {
            "provenance": "constructed",
            "causal_model": {
                "variables": [
                    {"name": "a", "kind": {"kind": "boolean"}, "columns": [0]},
                    {
                        "name": "b",
                        "kind": {"kind": "boolean"},
                        "parents": ["a"],
                        "function": {"op": "not", "argument": {"op": "variable", "name": "a"}},
                    },
                ],
                "output": "b",
            },
            "circuit": {
                "edges": [
                    edge | {"edge": "block0.head1.q <- embed", "carries": [["a", "b"]]},
                    edge | {"edge": "output <- block0.head1", "carries": [["b", "b"]]},
                ]
            },
        }
    )
    assert computed_by(mechanism) == {"block0.head1": ["b"], "embed": ["a"], "output": ["b"]}
    texts = [text.text for text in ElementTree.fromstring(circuit_picture(GRAPHS[1], mechanism)).iter("text")]
    assert {"b", "a", "head0", "output", "block 0 attention", "block 1 mlp"} <= set(texts)
