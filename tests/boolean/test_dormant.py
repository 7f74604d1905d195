"""Dormant neurons look like parts of the circuit and do nothing."""

from copy import deepcopy

import pytest
import torch

from peabench.interventions import run_with_cache
from peabench.networks import ResidualMLP
from peabench_tasks.boolean.dormant import add_dormant_neurons
from peabench_tasks.boolean.planting import initial_network
from peabench_tasks.boolean.specifications import Specification
from peabench_tasks.boolean.targets import Targets

SPECIFICATION = Specification("tree", "s", 0)
PLAN = SPECIFICATION.plan(0)
KILLED = 3


@pytest.fixture
def network() -> ResidualMLP:
    """The first neurons of every unit are dead."""
    made = initial_network(PLAN, Targets.from_plans([PLAN], [0]).basis[0], 0).requires_grad_(False)
    for block in range(PLAN.config.n_blocks):
        made.block(block).b_in[:, :KILLED] = -100
    return made


def every_input() -> torch.Tensor:
    return torch.cartesian_prod(*[torch.arange(2)] * PLAN.config.n_inputs)


def composed(network: ResidualMLP, block: int, unit: int, neurons: slice) -> torch.Tensor:
    parts = network.block(block)
    return parts.w_in[unit, :, neurons] @ parts.w_out[unit, neurons]


def test_nothing_that_any_node_writes_is_changed(network: ResidualMLP) -> None:
    before = run_with_cache(network, every_input())
    weights = [network.block(block).w_in.clone() for block in range(PLAN.config.n_blocks)]
    add_dormant_neurons(network, PLAN, 0)
    after = run_with_cache(network, every_input())
    torch.testing.assert_close(after.nodes, before.nodes)
    changed = [int((network.block(b).w_in != old).any(1).sum()) for b, old in enumerate(weights)]
    assert sum(changed) >= KILLED * 8
    assert all(torch.equal(network.block(b).w_in[..., KILLED:], old[..., KILLED:]) for b, old in enumerate(weights))


def test_biases_alone_tell_them_from_a_gate(network: ResidualMLP) -> None:
    """What they would write lies along one gate's direction; awake, they would write it."""
    add_dormant_neurons(network, PLAN, 0)
    basis = Targets.from_plans([PLAN], [0]).basis[0]
    gates = basis[:, PLAN.config.n_inputs : PLAN.config.n_inputs + len(PLAN.formula.gates)]
    asleep = run_with_cache(network, every_input()).nodes
    for block in range(PLAN.config.n_blocks):
        network.block(block).b_in[:, :KILLED] = 0
    awake = run_with_cache(network, every_input()).nodes
    found = 0
    for number, name in enumerate(network.graph.nodes):
        if name.startswith("input"):
            continue
        block, unit = divmod(number - PLAN.config.n_inputs, PLAN.config.n_units)
        written = composed(network, block, unit, slice(KILLED))
        if float(written.norm()) == 0:
            continue
        along = (written @ gates).norm(dim=0) / written.norm()
        if float(along.max()) > 0.99:
            found += 1
            assert float((awake[number] - asleep[number]).abs().max()) > 0.1
    assert found >= 8


def test_done_again_it_changes_nothing(network: ResidualMLP) -> None:
    add_dormant_neurons(network, PLAN, 0)
    once = {name: value.clone() for name, value in network.state_dict().items()}
    add_dormant_neurons(network, PLAN, 0)
    assert all(torch.equal(once[name], value) for name, value in network.state_dict().items())


def test_neurons_that_ever_fire_are_left_alone(network: ResidualMLP) -> None:
    for block in range(PLAN.config.n_blocks):
        network.block(block).b_in.fill_(100.0 * 1000**block)  # above all that the blocks before it write
    once = {name: value.clone() for name, value in network.state_dict().items()}
    add_dormant_neurons(network, PLAN, 0)
    assert all(torch.equal(once[name], value) for name, value in network.state_dict().items())


def test_careful_leaves_alone_what_a_patched_edge_awakes() -> None:
    """Neurons that are dead by a little on every input, of which one edge's other value awakes some."""
    network = initial_network(PLAN, Targets.from_plans([PLAN], [0]).basis[0], 0).requires_grad_(False)
    for block in range(PLAN.config.n_blocks):
        resid = run_with_cache(network, every_input()).stage_inputs[block, :, 0]
        most = network.project(block, resid).amax(0) - network.block(block).b_in
        network.block(block).b_in[:, :KILLED] = -most[:, :KILLED] - 0.01
    taken = []
    for careful in (False, True):
        changed = deepcopy(network)
        add_dormant_neurons(changed, PLAN, 0, careful)
        taken.append(
            torch.stack([(changed.block(b).w_in != network.block(b).w_in).any(1) for b in range(PLAN.config.n_blocks)])
        )
    assert int(taken[0].sum()) > int(taken[1].sum()) > 0
    assert not bool((taken[1] & ~taken[0]).any())
