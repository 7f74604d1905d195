"""Directions that a circuit leaves unread, and readings of all that varies."""

import torch
from tests.planting.test_dormant import made

from peabench.catalogue import installed_tasks
from peabench.interventions import run_with_cache
from peabench.tasks import load_task
from peabench_tasks.planting.mechanism import build_mechanism
from peabench_tasks.planting.subspaces import planted_size
from peabench_tasks.planting.unread import (
    circuit_nodes,
    normalised_reads,
    readings_of_all_that_varies,
    still_directions,
    unread_space,
)

TASK = load_task(next(task.folder for task in installed_tasks() if task.id == "boolean/tree-xs-0"))


def test_the_nodes_of_a_circuit_are_those_of_its_edges() -> None:
    network, circuit = TASK.network(), TASK.mechanism.circuit
    assert circuit
    names = [*network.graph.nodes, "output"]
    expected = {part for edge in circuit.edges for part in edge.edge.split(" <- ")}
    assert {names[node] for node in circuit_nodes(network, TASK.mechanism)} == expected


def test_what_is_written_there_is_read_by_no_node_of_the_circuit() -> None:
    """By brute force over all directions of a grid: those that are read less than so much lie in the space."""
    network, circuit = TASK.network(), TASK.mechanism.circuit
    assert circuit
    inputs = TASK.record.domain.sample(256, torch.Generator().manual_seed(0))
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

    every = read(torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(0))).Q)
    most = float(every.median())
    found = unread_space(network, TASK.mechanism, inputs, most)
    assert 0 < found.shape[1] < 16
    torch.testing.assert_close(found.T @ found, torch.eye(found.shape[1]), atol=1e-5, rtol=0)
    tried = torch.nn.functional.normalize(torch.randn(16, 20_000, generator=torch.Generator().manual_seed(0)), dim=0)
    assert float(read(torch.nn.functional.normalize(found @ found.T @ tried, dim=0)).max()) <= most
    across = torch.nn.functional.normalize(tried - found @ found.T @ tried, dim=0)
    assert float(read(across).min()) >= most * 0.999


def test_what_stands_still_and_is_read_by_idle_nodes_is_spared() -> None:
    """The direction that empty channels read, which nodes of the circuit need not have."""
    spared = 0
    for seed in range(3):
        placement, network, _, basis = made(seed)
        mechanism = build_mechanism(placement, basis[:, : planted_size(placement.program)])
        inputs = placement.program.domain.sample(512, torch.Generator().manual_seed(0))
        unread, still = unread_space(network, mechanism, inputs, 1e-4), still_directions(network, inputs)
        nodes = run_with_cache(network, inputs).nodes
        assert float((nodes @ still).var(1).sum()) < 1e-3 * still.shape[1] * float(nodes.var(1).sum())
        for weight in normalised_reads(network):
            assert float((unread.T @ still @ (still.T @ weight)).norm()) < 1e-2
            spared += float((still.T @ weight).norm()) > 0.1
    assert spared


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
