"""TransformerLens 4 (TransformerBridge): activation patching, edge attribution patching, DAS."""

from functools import partial

import ours
import torch
import transformer_lens.patching as patching
import workload
from interleaved import Comparison
from torch import Tensor
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.tools.analysis.interchange import fit_das
from workload import Data

from peabench.interventions import interchange, run_with_cache

comparison = Comparison("TransformerLens", "transformer-lens")
network = workload.network()
plain = workload.plain(network)
model = TransformerBridge.boot_native(
    TransformerBridgeConfig(
        n_layers=workload.LAYERS,
        d_model=workload.WIDTH,
        n_heads=workload.HEADS,
        d_head=workload.HEAD_WIDTH,
        d_mlp=workload.HIDDEN,
        n_ctx=workload.POSITIONS,
        d_vocab=workload.VOCABULARY,
        act_fn="gelu",
        normalization_type="LN",
        seed=0,
    )
)
NAMES = (
    ("tok_embed", "emb"),
    ("layers", "blocks"),
    ("ln_final", "lnf"),
    ("ln_out", "lnf"),
    ("head.", "unemb."),
    ("unembed", "unemb"),
    ("mlp.in.", "mlp.i."),
    ("mlp.fc_in", "mlp.i"),
    ("mlp.fc_out", "mlp.o"),
    ("mlp.out.", "mlp.o."),
)
with torch.no_grad():
    weights = dict(plain.named_parameters())
    for name, parameter in model.original_model.named_parameters():
        name = name.replace("._original_component", "").replace("_original_component.", "")
        for theirs, mine in NAMES:
            name = name.replace(theirs, mine)
        parameter.copy_(weights[name])
model.eval()
for parameter in model.parameters():
    parameter.requires_grad_(False)
patching.tqdm = lambda items, **_: items


def sweep(data: Data, positions: tuple[int, ...] = (-1,)) -> Tensor:
    with torch.inference_mode():
        _, cache = model.run_with_cache(data.source, names_filter=lambda n: n.endswith(("hook_z", "hook_mlp_out")))
        metric = partial(data.difference, positions=positions)
        heads = patching.get_act_patch_attn_head_out_by_pos(model, data.base, cache, metric)
        mlps = patching.get_act_patch_mlp_out(model, data.base, cache, metric)
        return torch.cat([heads.permute(0, 2, 1), mlps[:, None]], 1)


def das(steps: int) -> Tensor:
    base, source, targets = workload.das_data(network)
    positions = torch.full((len(base),), workload.DAS_POSITION)
    rows = steps * workload.DAS_BATCH
    result = fit_das(
        model,
        "blocks.0.hook_mlp_out",
        base[:rows],
        source[:rows],
        targets[:rows],
        lambda tokens: model(tokens)[:, -1],
        rank=1,
        base_positions=positions[:rows],
        source_positions=positions[:rows],
        epochs=max(1, rows // len(base)),
        batch_size=workload.DAS_BATCH,
    )
    return torch.tensor(result.losses)


for rows in ours.BATCHES:
    data = Data(rows)
    for look, positions in ours.LOOKS:
        comparison.row(
            f"120 sites, batch {rows}, {look}",
            partial(ours.sites, network, data, positions),
            partial(sweep, data, positions),
            7 if rows == 32 else 3,
        )
start = torch.randn(1, workload.WIDTH, 1, generator=torch.Generator().manual_seed(0))


def same_interchange() -> tuple[Tensor, Tensor]:
    """fit_das draws its own start and order of rows, so what must agree is the intervention that it trains."""
    base, source = (run_with_cache(network, inputs) for inputs in workload.das_data(network)[:2])
    basis = start / start.norm()
    found = interchange(network, base, source, workload.DAS_SITE, basis)[0]
    theirs: list[Tensor] = []

    def patch(output: Tensor, hook: object) -> Tensor:
        output, at = output.clone(), workload.DAS_POSITION
        output[:, at] += (theirs[0][:, at] - output[:, at]) @ basis[0] @ basis[0].T
        return output

    site = "blocks.0.hook_mlp_out"
    with torch.inference_mode():
        model.run_with_hooks(source.inputs, fwd_hooks=[(site, lambda output, hook: theirs.append(output.clone()))])
        return found, model.run_with_hooks(base.inputs, fwd_hooks=[(site, patch)])


comparison.row(
    "DAS, 300 steps",
    partial(ours.das, network, start),
    partial(das, workload.DAS_STEPS),
    3,
    check=same_interchange,
)
