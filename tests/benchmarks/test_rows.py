"""The engine's rows under pytest-benchmark: `pytest tests/benchmarks --benchmark-only -n 0`.

Plain `pytest` runs each once, untimed. The table against other tools is made by `python tests/benchmarks/report.py`.
"""

import loops
import ours
import pytest
import torch
import workload
from pytest_benchmark.fixture import BenchmarkFixture
from scaling import AXES

NETWORK = workload.network()


@pytest.fixture(autouse=True)
def _threads(benchmark: BenchmarkFixture) -> None:
    torch.set_num_threads(2 if benchmark.enabled else 1)


def data(benchmark: BenchmarkFixture, rows: int) -> workload.Data:
    """The rows that are timed; few where nothing is."""
    return workload.Data(rows if benchmark.enabled else 8)


@pytest.mark.parametrize("rows", ours.BATCHES)
@pytest.mark.parametrize(("look", "positions"), ours.LOOKS)
def test_120_sites(benchmark: BenchmarkFixture, rows: int, look: str, positions: tuple[int, ...]) -> None:
    benchmark(ours.sites, NETWORK, data(benchmark, rows), positions)


def test_every_edge_exactly(benchmark: BenchmarkFixture) -> None:
    benchmark(ours.edges, NETWORK, data(benchmark, 512))


def test_edge_attribution_patching(benchmark: BenchmarkFixture) -> None:
    benchmark(ours.attributions, NETWORK, data(benchmark, 512))


@pytest.mark.parametrize("seeds", [1, 16])
def test_das(benchmark: BenchmarkFixture, seeds: int) -> None:
    start = torch.randn(seeds, workload.WIDTH, 1, generator=torch.Generator().manual_seed(0))
    steps = workload.DAS_STEPS if benchmark.enabled else 3
    benchmark.pedantic(ours.das, (NETWORK, start, steps), rounds=3)  # type: ignore[no-untyped-call]


def test_64_mlps(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(loops.many, (64, 500 if benchmark.enabled else 3), rounds=3)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("axis", AXES)
def test_scaling(benchmark: BenchmarkFixture, axis: str) -> None:
    sizes, build = AXES[axis]
    benchmark.pedantic(build(sizes[-1] if benchmark.enabled else sizes[0]), rounds=3)  # type: ignore[no-untyped-call]


def test_hand_written_hooks_agree_with_the_sweep(benchmark: BenchmarkFixture) -> None:
    few = workload.Data(8)
    found = benchmark.pedantic(ours.sites, (NETWORK, few), rounds=3)  # type: ignore[no-untyped-call]
    expected = workload.hook_sweep(workload.plain(NETWORK), few, workload.SITES, (-1,))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
