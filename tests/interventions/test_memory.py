"""The resident memory of a sweep stays under its stated budget, measured in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import torch
sys.path[:0] = {paths!r}
from peabench.interventions import LinearMetric, edge_attributions, patch_hypotheses
from peabench.interventions import replacement_nodes, sweep_edges, sweep_sites
from peabench.networks import TransformerConfig, build_network
torch.set_num_threads(1)
network = build_network(TransformerConfig(
    d_vocabulary=64, n_positions=12, d_model=64, n_blocks=3, n_heads=4, d_head=16, d_mlp=256, norm="layer", d_output=64
), torch.Generator().manual_seed(0)).requires_grad_(False)
base, source = torch.randint(0, 64, (2, {rows}, 12))
metric = LinearMetric.logit_difference(torch.zeros({rows}, dtype=torch.long), None, 64, {look})
masks = torch.zeros(6, *network.graph.exists.shape)
masks[:, -1, 0] = 1
calls = dict(
    sites=lambda rows, **budget: sweep_sites(network, base[:rows], source[:rows], metric.select(slice(rows)), **budget),
    edges=lambda rows, **budget: sweep_edges(network, base[:rows], source[:rows], metric.select(slice(rows)), **budget),
    attributions=lambda rows, **budget: edge_attributions(
        network, base[:rows], source[:rows], metric.select(slice(rows)), **budget),
    hypotheses=lambda rows, **budget: patch_hypotheses(
        network, base[:rows], masks, zero, metric.select(slice(rows)), **budget),
)
zero = replacement_nodes(network, "zero", base[:8])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with torch.inference_mode({name!r} != "attributions"):
    calls[{name!r}](4)
    before = peak()
    calls[{name!r}]({rows}, memory_bytes={budget})
print(peak() - before)
"""

BUDGET = 32 * 2**20


LAST, ALL = "(-1,)", "tuple(range(12))"


@pytest.mark.parametrize(
    ("name", "look"),
    [("sites", LAST), ("sites", ALL), ("edges", LAST), ("edges", ALL), ("attributions", ALL), ("hypotheses", ALL)],
)
def test_peak_memory_stays_under_the_budget(name: str, look: str) -> None:
    program = PROGRAM.format(paths=[p for p in sys.path if p], rows=256, look=look, name=name, budget=BUDGET)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    assert 0 <= int(done.stdout) <= BUDGET
