"""Runs of many networks in groups agree with the engine, one network at a time."""

import pytest
import torch
from torch import Tensor

from peabench.interventions import EdgePatch, SubspacePatch, run_patched, run_with_cache
from peabench.networks import Transformer
from peabench.networks.config import TransformerConfig
from peabench.training.stacked import orthonormal
from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.planting.layout import Layout, lay_out
from peabench_tasks.planting.placement import draw_placement
from peabench_tasks.planting.planter import GROUPS, Planter
from peabench_tasks.planting.runs import Patch
from peabench_tasks.planting.subspaces import planted_size
from peabench_tasks.programs.library import dyck

CONFIG = TransformerConfig(
    d_vocabulary=3, n_positions=5, d_model=16, n_blocks=4, n_heads=4, d_head=4, d_mlp=8, d_output=3
)
SHIFTS = (1, 3)


@pytest.fixture(scope="module")
def planter() -> Planter:
    program = dyck(5, 3)
    placements = [draw_placement(program, CONFIG, seed) for seed in (0, 1)]
    generator = torch.Generator().manual_seed(5)
    stack = StackedTransformer.from_networks([Transformer(CONFIG, generator) for _ in placements])
    bases = torch.stack([orthonormal((CONFIG.d_model, planted_size(program)), generator) for _ in placements])
    rows = program.domain.all()
    sites = [{step.variable: placement.sites(step.variable) for step in program.steps} for placement in placements]
    planter = Planter(program, stack, lay_out(placements), bases, rows, torch.ones(len(rows)), sites, generator)
    with torch.no_grad():
        for parameter in planter.stack.parameters.values():
            parameter.mul_(2)  # what a head of a fresh network writes is too faint to tell a wrong run from a right one
    return planter


def of_network(planter: Planter, k: int, mask: Tensor, network: Transformer) -> Tensor:
    """A mask of the layout's readers and columns as one of the network's own."""
    layout, graph = planter.layout, network.graph
    found = torch.zeros(len(mask), len(graph.readers), len(graph.nodes))
    for i, (reader, block) in enumerate(layout.readers):
        row = graph.readers.index(own_name(layout, k, reader, block))
        for j, (column, written) in enumerate(layout.columns):
            if column.startswith("rest"):
                slots, half = layout.slots[written], planter.halves[written][k]
                chosen = [slots + h for h in range(len(half)) if bool(half[h]) == (column == "rest0")]
                names = [own_name(layout, k, f"head{h}", written) for h in chosen]
            else:
                names = [own_name(layout, k, column, written)]
            for name in names:
                found[:, row, graph.nodes.index(name)] = mask[:, i, j]
    return found * graph.exists


def own_name(layout: Layout, k: int, name: str, block: int) -> str:
    if name in ("embed", "output"):
        return name
    if name == "mlp":
        return f"block{block}.mlp"
    head, _, port = name.removeprefix("head").partition(".")
    return f"block{block}.head{int(layout.order[k, block, int(head)])}" + (f".{port}" if port else "")


def test_clean_runs(planter: Planter) -> None:
    tokens = planter.pool(6)
    with torch.no_grad():
        logits = planter.run(tokens).logits
        for k in range(2):
            network = planter.layout.restored(planter.stack.network(k), k)
            torch.testing.assert_close(network(tokens[k])[:, -1], logits[k], rtol=1e-4, atol=1e-4)


def test_patched_edges_of_two_sources_and_interchanged_subspaces(planter: Planter) -> None:
    tokens = planter.pool(6)
    layout, generator = planter.layout, torch.Generator().manual_seed(1)
    drawn = torch.rand((2, GROUPS, *layout.circuit.shape[1:]), generator=generator)
    masks = (drawn < 0.3).float(), (drawn > 0.7).float()
    size = planter.bases.shape[-1]
    select = torch.zeros(2, 2, GROUPS, CONFIG.n_blocks + 1, CONFIG.n_positions, size)
    select[0, :, 1::2, 1] = 1
    select[1, :, 1::2, 2, -1] = 1
    with torch.no_grad():
        clean = planter.run(tokens)
        patch = Patch.between(layout, clean, SHIFTS, masks, planter.bases, select)
        logits = planter.run(tokens, patch).logits.unflatten(0, (2, GROUPS))
        for k in range(2):
            network = layout.restored(planter.stack.network(k), k)
            base = run_with_cache(network, tokens[k])
            others = [run_with_cache(network, tokens[k].roll(shift, 0)) for shift in SHIFTS]
            edges = [
                EdgePatch(of_network(planter, k, mask[k], network), other.nodes[:, None])
                for mask, other in zip(masks, others, strict=True)
            ]
            subspaces = [
                SubspacePatch(
                    2 * site,
                    planter.bases[k][None],
                    (other.stage_inputs[2 * site] @ planter.bases[k])[None],
                    chosen[k, :, site, None],
                )
                for site, other, chosen in zip((1, 2), others, select, strict=True)
            ]
            want = run_patched(network, base, edges, subspaces, hypotheses=GROUPS)[:, :, -1]
            torch.testing.assert_close(logits[k], want, rtol=1e-4, atol=1e-4)
            assert float((want - clean.logits[k]).abs().max()) > 0.1
