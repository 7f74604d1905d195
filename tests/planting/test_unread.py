"""Directions that a circuit leaves unread, and readings of all that varies."""

import torch

from peabench.catalogue import installed_tasks
from peabench.tasks import load_task
from peabench_tasks.planting.unread import circuit_nodes, readings_of_all_that_varies, unread_directions

TASK = load_task(next(task.folder for task in installed_tasks() if task.id == "boolean/tree-xs-0"))


def test_the_nodes_of_a_circuit_are_those_of_its_edges() -> None:
    network, circuit = TASK.network(), TASK.mechanism.circuit
    assert circuit
    names = [*network.graph.nodes, "output"]
    expected = {part for edge in circuit.edges for part in edge.edge.split(" <- ")}
    assert {names[node] for node in circuit_nodes(network, TASK.mechanism)} == expected


def test_what_is_written_there_changes_what_the_circuit_reads_least() -> None:
    """By brute force over all directions of a grid: none is read less."""
    network, circuit = TASK.network(), TASK.mechanism.circuit
    assert circuit
    found = unread_directions(network, TASK.mechanism, 2)
    torch.testing.assert_close(found.T @ found, torch.eye(2), atol=1e-5, rtol=0)
    nodes = circuit_nodes(network, TASK.mechanism)

    def read(directions: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(directions.shape[1])
        for reader, node in zip(network.graph.readers, network.graph.fed_by.tolist(), strict=True):
            if node not in nodes:
                continue
            if reader == "output":
                weight = network.get_parameter("w_output")
            else:
                block, unit = (int("".join(filter(str.isdigit, part))) for part in reader.split("."))
                w_in, w_out = (network.get_parameter(f"block{block}.{name}")[unit] for name in ("w_in", "w_out"))
                weight = w_in * w_out.norm(dim=1)
            total += (directions.T @ weight).square().sum(1) / weight.square().sum()
        return total.detach()

    tried = torch.nn.functional.normalize(torch.randn(16, 20_000, generator=torch.Generator().manual_seed(0)), dim=0)
    least = read(found)
    assert float(least[0]) <= float(least[1]) < float(read(tried).min())


def test_readings_see_every_direction_that_varies_and_no_other() -> None:
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([3.0, 1.0, 0.3, 0.0])
    stream = torch.randn(5000, 4, generator=generator) * scales + 7
    readings = readings_of_all_that_varies(stream, 2000, generator)
    torch.testing.assert_close(readings.norm(dim=0), torch.ones(2000))
    assert float(readings[3].abs().max()) < 1e-5
    lengths = readings[:3] * scales[:3, None]
    contributions = (lengths / lengths.norm(dim=0)).square().mean(1)
    torch.testing.assert_close(contributions, torch.full((3,), 1 / 3), atol=0.02, rtol=0)
