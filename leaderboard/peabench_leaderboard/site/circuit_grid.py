"""A circuit on a grid: a column for every layer, a row for every node, and lines for the edges between them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from peabench.mechanism import Circuit, EdgeAddress, Mechanism
from peabench.networks.graph import Graph
from peabench_leaderboard.site.circuit_answers import CircuitOverlay
from peabench_leaderboard.site.drawing import Point, element, flow, group, number, picture, shortened, text, titled

COLUMN = 132.0
NODE_WIDTH = 52.0
NODE_HEIGHT = 24.0
ROW = 38.0
LEFT, TOP, BOTTOM = 12.0, 40.0, 14.0
PORTS = {"q": -7.0, "k": 0.0, "v": 7.0}
LANES = (0.0, -3.0, 3.0, -6.0, 6.0)
"""Shifts that keep lines apart where several pass between the same two nodes."""
LONGEST_LABEL = 7
MOST_ABSENT = 4_000
"""Absent edges are drawn up to so many."""


@dataclass(frozen=True)
class Grid:
    """Where the nodes of a network stand."""

    graph: Graph

    @cached_property
    def layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Name and nodes of each column."""
        graph = self.graph
        kinds = {kind: sum(stage.kind == kind for stage in graph.stages) for kind in ("attention", "mlp", "units")}
        several = sum(count > 0 for count in kinds.values()) > 1
        stages = tuple(
            (
                f"block {stage.block}" + (f" {stage.kind}" if several else ""),
                tuple(graph.nodes[node] for node in stage.nodes),
            )
            for stage in graph.stages
        )
        return (("inputs", graph.nodes[: graph.n_embedding_nodes]), *stages, ("output", ("output",)))

    @cached_property
    def height(self) -> float:
        """Room for the fullest column."""
        return ROW * max(len(nodes) for _, nodes in self.layers)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the drawing."""
        return 2 * LEFT + COLUMN * (len(self.layers) - 1) + NODE_WIDTH, TOP + self.height + BOTTOM

    @cached_property
    def _paths(self) -> dict[str, str]:
        """Of the edges drawn so far: every answer draws much the same ones."""
        return {}

    @cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """Column and row of each node."""
        return {node: (column, row) for column, (_, nodes) in enumerate(self.layers) for row, node in enumerate(nodes)}

    def centre(self, node: str) -> Point:
        """The middle of a node; the nodes of a column are spread evenly over the height."""
        column, row = self.places[node]
        count = len(self.layers[column][1])
        return LEFT + NODE_WIDTH / 2 + COLUMN * column, TOP + self.height * (row + 0.5) / count

    def ends(self, edge: str) -> tuple[Point, Point]:
        """Where an edge leaves its source and enters its reader."""
        address = EdgeAddress.parse(edge)
        (x0, y0), (x1, y1) = self.centre(str(address.source)), self.centre(str(address.reader.node))
        shift = PORTS[address.reader.port] if address.reader.port else 0.0
        return (x0 + NODE_WIDTH / 2, y0), (x1 - NODE_WIDTH / 2, y1 + shift)

    def path(self, edge: str) -> str:
        """Path data of an edge, which passes the columns in between through the gaps between their nodes."""
        if edge not in self._paths:
            self._paths[edge] = self._path(edge)
        return self._paths[edge]

    def _path(self, edge: str) -> str:
        address = EdgeAddress.parse(edge)
        start, end = self.ends(edge)
        (first, source_row), (last, reader_row) = (
            self.places[str(address.source)],
            self.places[str(address.reader.node)],
        )
        shift = LANES[(2 * source_row + 3 * reader_row) % len(LANES)]
        points = [start]
        for column in range(first + 1, last):
            count = len(self.layers[column][1])
            straight = start[1] + (end[1] - start[1]) * (column - first) / (last - first)
            gap = round((straight - TOP) / self.height * count)
            height = TOP + self.height * max(0, min(count, gap)) / count + shift
            middle = LEFT + NODE_WIDTH / 2 + COLUMN * column
            points += [(middle - NODE_WIDTH / 2, height), (middle + NODE_WIDTH / 2, height)]
        return flow([*points, end])


def circuit_picture(
    graph: Graph, mechanism: Mechanism, overlays: Iterable[CircuitOverlay] = (), with_absent: bool = True
) -> Markup:
    """A circuit over the whole network, and scorers' answers over it, hidden until they are asked for.

    Raises:
        MechanismError: the circuit lists an edge that the network does not have.
    """
    circuit = mechanism.circuit
    assert circuit is not None
    grid = Grid(graph)
    statuses = circuit.statuses(graph.edges)
    absent = [edge for edge, status in statuses.items() if status == "absent"]
    content = [
        text((LEFT + NODE_WIDTH / 2 + COLUMN * i, 18), name, class_="layer", text_anchor="middle")
        for i, (name, _) in enumerate(grid.layers)
    ]
    if with_absent and len(absent) <= MOST_ABSENT:
        content.append(_absent(grid, absent))
    carried = {item.edge: item.carries for item in circuit.edges}
    truth = [_edge(grid, item.edge, item.status, carried[item.edge]) for item in circuit.edges]
    content.append(group(truth, class_="truth"))
    content += [_overlay(grid, overlay) for overlay in overlays]
    content += _nodes(grid, mechanism, circuit)
    counts = {
        status: sum(found == status for found in statuses.values()) for status in ("required", "optional", "absent")
    }
    description = (
        f"{len(graph.nodes)} nodes in {len(grid.layers)} columns from the inputs (left) to the output (right). "
        f"{counts['required']} edges are required, {counts['optional']} optional and {counts['absent']} absent. "
        "A list of its edges is on the task's page."
    )
    return picture("circuit", grid.size, "Circuit", description, content, "circuit")


def computed_by(mechanism: Mechanism) -> dict[str, list[str]]:
    """The variables that each node of the circuit computes, or reads in from the input."""
    found: dict[str, list[str]] = defaultdict(list)
    for item in mechanism.circuit.edges if mechanism.circuit else ():
        address = EdgeAddress.parse(item.edge)
        for parent, child in item.carries:
            for node, name in ((str(address.reader.node), child), (str(address.source), parent)):
                is_input = node.startswith("input") or node == "embed"
                if (node == str(address.reader.node)) != is_input and name not in found[node]:
                    found[node].append(name)
    return dict(found)


def _absent(grid: Grid, edges: list[str]) -> Markup:
    """All absent edges as one faint path: more would only weigh the page down."""
    lines = "".join(
        f"M{number(start[0])} {number(start[1])}L{number(end[0])} {number(end[1])}"
        for start, end in map(grid.ends, edges)
    )
    strength = max(0.12, min(0.5, 90 / max(len(edges), 1)))
    return element("path", d=lines or "M0 0", class_="absent", stroke_opacity=f"{strength:.2f}")


def _edge(grid: Grid, edge: str, status: str, carries: tuple[tuple[str, str], ...]) -> Markup:
    told = ", ".join(parent if parent == child else f"{parent} for {child}" for parent, child in carries)
    path = element("path", d=grid.path(edge), class_=f"edge {status}")
    return titled(path, f"{edge}: {status}" + (f", carries {told}" if told else ""))


def _overlay(grid: Grid, overlay: CircuitOverlay) -> Markup:
    kinds: Mapping[str, tuple[str, ...]] = {
        "false": overlay.false,
        "missed": overlay.missed,
        "found": overlay.found,
    }
    drawn = [
        group(
            [titled(element("path", d=grid.path(edge), class_="edge"), f"{edge}: {kind}") for edge in edges],
            class_=kind,
        )
        for kind, edges in kinds.items()
        if edges
    ]
    return group(drawn or [Markup("<desc>nothing</desc>")], class_="overlay", data_answer=overlay.key)


def _nodes(grid: Grid, mechanism: Mechanism, circuit: Circuit) -> list[Markup]:
    computed = computed_by(mechanism)
    columns = {
        f"input{column}": variable.name for variable in mechanism.causal_model.variables for column in variable.columns
    }
    ports: dict[str, set[str]] = defaultdict(set)
    in_circuit = {"output"}
    for item in circuit.edges:
        address = EdgeAddress.parse(item.edge)
        in_circuit |= {str(address.source), str(address.reader.node)}
    for reader in grid.graph.readers:
        if reader[-2:] in (".q", ".k", ".v"):
            ports[reader[:-2]].add(reader[-1])
    drawn = []
    for node in grid.places:
        x, y = grid.centre(node)
        names = computed.get(node, [])
        if node == "output":
            label, told = "output", "output: what the network predicts"
        elif node in columns:
            label, told = columns[node], f"{node}: input {columns[node]}"
        else:
            label = ", ".join(names) or node.rpartition(".")[2]
            told = f"{node}: " + (f"computes {', '.join(names)}" if names else "no part of the circuit")
        kind = "used" if node in in_circuit else "idle"
        marks = [
            element(
                "rect",
                x=x - NODE_WIDTH / 2,
                y=y - NODE_HEIGHT / 2,
                width=NODE_WIDTH,
                height=NODE_HEIGHT,
                rx=NODE_HEIGHT / 2 if node in columns or node == "embed" else 5,
            ),
            text((x, y + 4), shortened(label, LONGEST_LABEL), text_anchor="middle"),
        ]
        marks += [element("circle", cx=x - NODE_WIDTH / 2, cy=y + PORTS[port], r=2) for port in sorted(ports[node])]
        drawn.append(titled(group(marks), told, class_=f"node {kind}"))
    return drawn
