"""The resident memory of a sweep stays under its stated budget, measured in a process of its own."""

import json
import subprocess
import sys
from typing import cast

import pytest

LAST, ALL = "last", "all"
CASES = [("sites", LAST), ("sites", ALL), ("edges", LAST), ("edges", ALL), ("attributions", ALL), ("hypotheses", ALL)]
BUDGET = 32 * 2**20
ROWS = 256

PROGRAM = f"""
import json, os, resource, sys
import torch
sys.path[:0] = {[path for path in sys.path if path]!r}
from peabench.interventions import LinearMetric, edge_attributions, patch_hypotheses
from peabench.interventions import replacement_nodes, sweep_edges, sweep_sites
from peabench.networks import TransformerConfig, build_network
torch.set_num_threads(1)
network = build_network(TransformerConfig(
    d_vocabulary=64, n_positions=12, d_model=64, n_blocks=3, n_heads=4, d_head=16, d_mlp=256, norm="layer", d_output=64
), torch.Generator().manual_seed(0)).requires_grad_(False)
base, source = torch.randint(0, 64, (2, {ROWS}, 12))
masks = torch.zeros(6, *network.graph.exists.shape)
masks[:, -1, 0] = 1
zero = replacement_nodes(network, "zero", base[:8])
looks = dict({LAST}=(-1,), {ALL}=tuple(range(12)))
calls = dict(
    sites=lambda rows, metric, **budget: sweep_sites(network, base[:rows], source[:rows], metric, **budget),
    edges=lambda rows, metric, **budget: sweep_edges(network, base[:rows], source[:rows], metric, **budget),
    attributions=lambda rows, metric, **budget: edge_attributions(
        network, base[:rows], source[:rows], metric, **budget),
    hypotheses=lambda rows, metric, **budget: patch_hypotheses(network, base[:rows], masks, zero, metric, **budget),
)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
for name, look in {CASES!r}:
    sys.stdout.flush()
    if os.fork():  # each has the memory of a process that has done nothing yet
        os.wait()
        continue
    metric = LinearMetric.logit_difference(torch.zeros({ROWS}, dtype=torch.long), None, 64, looks[look])
    with torch.inference_mode(name != "attributions"):
        calls[name](4, metric.select(slice(4)))
        before = peak()
        calls[name]({ROWS}, metric, memory_bytes={BUDGET})
    print(json.dumps([name, look, peak() - before]))
    break
"""


@pytest.fixture(scope="module")
def growth() -> dict[tuple[str, str], int]:
    """Bytes by which the peak grew, of each case."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=300)
    found = (cast("tuple[str, str, int]", json.loads(line)) for line in done.stdout.splitlines())
    return {(name, look): grown for name, look, grown in found}


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_peak_memory_stays_under_the_budget(growth: dict[tuple[str, str], int], case: tuple[str, str]) -> None:
    assert 0 < growth[case] <= BUDGET
