"""Side channels carry what varies to where no circuit node reads, in heads of the circuit and in others alike."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from tests.planting.test_dormant import made

from peabench.catalogue import installed_tasks
from peabench.certification.checks import Check, NullCheck, judged
from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.mechanism import Mechanism
from peabench.networks import Network, Transformer
from peabench.tasks import Task, load_task
from peabench_tasks.planting import side_channels
from peabench_tasks.planting.mechanism import build_mechanism
from peabench_tasks.planting.side_channels import (
    DRAWS,
    UNUSED,
    Draw,
    add_side_channels,
    answers_that_differ,
    certify_with_side_channels,
)
from peabench_tasks.planting.subspaces import planted_size
from peabench_tasks.planting.unread import circuit_nodes, unread_space

PLANTED = {task.id: task.folder for task in installed_tasks() if task.family in ("programs", "name_mover")}


def through_heads(network: Transformer) -> torch.Tensor:
    """What each head's weights write of each direction that its values read; the same in every gauge."""
    blocks = [network.block(b).attention for b in range(network.config.n_blocks)]
    return torch.cat([block.w_qkv[:, 2] @ block.w_o for block in blocks]).clone()


def given(seed: int) -> tuple[Transformer, Mechanism, ProductDomain, torch.Tensor]:
    """A network of random steps, its mechanism, and inputs."""
    placement, network, _, basis = made(seed)
    mechanism = build_mechanism(placement, basis[:, : planted_size(placement.program)])
    domain = placement.program.domain
    return network, mechanism, domain, domain.sample(512, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("seed", range(3))
def test_without_what_they_carry_the_logits_are_what_they_were(seed: int) -> None:
    network, mechanism, domain, inputs = given(seed)
    empty = deepcopy(network)
    add_side_channels(empty, mechanism, domain, 0, Draw(0.0, 3, 1e-4))
    assert not torch.allclose(empty.block(0).attention.w_o, network.block(0).attention.w_o)
    before = network(inputs)
    assert float((empty(inputs) - before).abs().max() / before.abs().max()) < 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_what_they_carry_is_read_and_written_as_it_should_be(seed: int) -> None:
    """They read nothing of what stands where they write, and write nowhere else."""
    network, mechanism, domain, inputs = given(seed)
    unread = unread_space(network, mechanism, inputs, 1e-4)
    full, empty = deepcopy(network), deepcopy(network)
    add_side_channels(full, mechanism, domain, 0)
    add_side_channels(empty, mechanism, domain, 0, Draw(0.0, 3, 1e-4))
    carried = through_heads(full) - through_heads(empty)
    strong = carried.norm(dim=(1, 2)) > 0.5 * through_heads(network).norm(dim=(1, 2))
    assert float(strong.float().mean()) > 0.5
    assert float((unread.T @ carried).norm() / carried.norm()) < 1e-3
    assert float((carried - carried @ unread @ unread.T).norm() / carried.norm()) < 1e-3


@pytest.mark.parametrize("family", ["programs", "name_mover"])
def test_shipped_networks_answer_the_same_without_what_stands_there(family: str) -> None:
    task = load_task(next(folder for name, folder in PLANTED.items() if name.startswith(family)))
    network = task.network()
    assert isinstance(network, Transformer)
    rows = task.record.domain.sample(512, torch.Generator().manual_seed(0))
    unread = unread_space(network, task.mechanism, rows, 1e-4)
    ran = run_with_cache(network, rows)
    inside = circuit_nodes(network, task.mechanism)
    heads = [n for n, name in enumerate(network.graph.nodes) if "head" in name and n in inside]
    there, all_of_it = ((ran.nodes[heads] @ basis).var(1).sum((1, 2)) for basis in (unread, torch.eye(len(unread))))
    assert float((there > 0.1 * all_of_it).float().mean()) > 0.5
    for block in range(network.config.n_blocks):
        out = network.block(block).attention.w_o
        out.data -= out.data @ unread @ unread.T
    assert torch.equal(network(rows)[:, -1].argmax(-1), ran.logits[:, -1].argmax(-1))


def spread_of_writing(network: Transformer, unread: torch.Tensor) -> float:
    """In how many of the directions that the circuit does not read heads write (the participation ratio), as a share
    of what it would be if all their directions were drawn at random.
    """
    _, sizes, right = torch.linalg.svd(through_heads(network), full_matrices=False)
    written = right[sizes > UNUSED * sizes[:, :1]] @ unread
    shared = torch.linalg.eigvalsh(written.T @ written)
    count, expected = shared.sum(), shared.sum() * (1 + (shared.sum() - 1) / len(shared))
    return float((count**2 / shared.square().sum()) / (count**2 / expected))


def shipped(name: str) -> tuple[Transformer, torch.Tensor]:
    """A network and what its circuit does not read."""
    task = load_task(PLANTED[name])
    network = task.network()
    assert isinstance(network, Transformer)
    rows = task.record.domain.sample(512, torch.Generator().manual_seed(0))
    return network, unread_space(network, task.mechanism, rows, 1e-4)


@pytest.mark.parametrize("name", PLANTED)
def test_no_few_directions_are_those_of_all_heads(name: str) -> None:
    assert spread_of_writing(*shipped(name)) > 0.9


def test_directions_that_all_heads_share_would_be_seen() -> None:
    network, unread = shipped("name_mover/mover-s-0")
    for block in range(network.config.n_blocks):
        out = network.block(block).attention.w_o
        here = out @ unread
        folded = here[..., :3] + here[..., 3:6]
        out.add_(folded @ unread[:, :3].T - here @ unread.T)
    assert spread_of_writing(network, unread) < 0.9


def test_heads_inside_and_outside_the_circuit_have_them() -> None:
    network, mechanism, domain, _ = given(0)
    ranks = torch.linalg.matrix_rank(through_heads(network), rtol=UNUSED)
    add_side_channels(network, mechanism, domain, 0)
    grown = (torch.linalg.matrix_rank(through_heads(network), rtol=UNUSED) > ranks).tolist()
    inside = circuit_nodes(network, mechanism)
    heads = [node for node, name in enumerate(network.graph.nodes) if "head" in name]
    assert {node in inside for node, more in zip(heads, grown, strict=True) if more} == {True, False}


def test_what_a_head_uses_does_not_depend_on_the_gauge() -> None:
    """A scale that moves from one column of values to the row that writes it changes nothing."""
    network, mechanism, domain, _ = given(0)
    other = deepcopy(network)
    scales = 2.0 ** torch.arange(-8, 16, 4)[: network.config.d_head]  # products with them are exact
    for block in range(network.config.n_blocks):
        attention = other.block(block).attention
        attention.w_qkv[:, 2] *= scales
        attention.b_qkv[:, 2] *= scales
        attention.w_o.div_(scales[:, None])
    for changed in (network, other):
        add_side_channels(changed, mechanism, domain, 0)
    one, two = through_heads(network), through_heads(other)
    assert float((one - two).norm() / one.norm()) < 1e-2


def test_the_seed_draws_what_is_read() -> None:
    values = []
    for seed in (0, 0, 1):
        network, mechanism, domain, _ = given(0)
        add_side_channels(network, mechanism, domain, seed)
        values.append(network.block(0).attention.w_qkv[:, 2].clone())
    assert torch.equal(values[0], values[1])
    assert not torch.allclose(values[0], values[2])


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def check(errors: int) -> Check:
    null = NullCheck(description="random weights", cases=9, errors=9)
    return judged("behaviour", "is right", errors, 9, exhaustive=True, null=null)


@pytest.fixture
def task() -> Task:
    return load_task(PLANTED["programs/pair_balance-xs-1"])


def attempts(task: Task, folder: Path, monkeypatch: pytest.MonkeyPatch, errors: list[int]) -> list[Check]:
    """Certify with draws that have so many errors, and then none."""
    left = iter([*errors, *[0] * len(DRAWS)])
    monkeypatch.setattr(side_channels, "certify", lambda _task: [check(next(left))])
    monkeypatch.setattr(side_channels, "answers_that_differ", lambda *_: 0)
    network, free = task.network(), task.twin("free")
    assert isinstance(network, Transformer)
    assert free is not None
    return certify_with_side_channels(folder, task.record, network, task.mechanism, {"twin-free.safetensors": free}, 1)


def test_the_first_draw_that_passes_is_written_with_its_certificate(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checks = attempts(task, tmp_path / "task", monkeypatch, [3])
    written = load_task(tmp_path / "task")
    assert checks == [check(0)] == list(written.certificate)
    assert set(contents(tmp_path / "task")) == set(contents(task.folder))
    network = task.network()
    assert isinstance(network, Transformer)
    expected = side_channels.with_side_channels(network, task.mechanism, task.record.domain, 1, 1)
    torch.testing.assert_close(written.network().state_dict(), expected.state_dict())
    assert [record.message for record in caplog.records] == [
        f"{task.record.id}: draw 0 {tuple(DRAWS[0])} fails behaviour: 3 of 9"
    ]


@pytest.mark.parametrize("there", [True, False])
def test_if_no_draw_passes_the_folder_is_left_as_it_was(
    there: bool, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "task"
    if there:
        attempts(task, folder, monkeypatch, [])
        before = contents(folder)
    checks = attempts(task, folder, monkeypatch, [2] * len(DRAWS))
    assert checks == [check(2)]
    assert len(caplog.records) == len(DRAWS)
    if there:
        assert contents(folder) == before
    assert list(tmp_path.iterdir()) == [folder] * there


def test_a_draw_that_changes_answers_is_not_certified(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, free = task.network(), task.twin("free")
    assert isinstance(network, Transformer)
    assert free is not None
    assert answers_that_differ(network, network, task.record.domain) == 0
    other = deepcopy(network)
    other.w_output.data = -other.w_output.data
    assert answers_that_differ(network, other, task.record.domain) > 0
    monkeypatch.setattr(side_channels, "with_side_channels", lambda *_: other)
    monkeypatch.setattr(side_channels, "certify", lambda _task: pytest.fail("certified"))
    twins: dict[str, Network] = {"twin-free.safetensors": free}
    checks = certify_with_side_channels(tmp_path / "task", task.record, network, task.mechanism, twins, 1)
    assert [check.passed for check in checks] == [False]
    assert list(tmp_path.iterdir()) == []
