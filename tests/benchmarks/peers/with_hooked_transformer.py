"""TransformerLens 2 (HookedTransformer): activation patching. Run in auto-circuit's environment, which needs it."""

from functools import partial

import ours
import pandas as pd
import torch
import transformer_lens.patching as patching
import workload
from interleaved import Comparison
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from workload import Data

comparison = Comparison("TransformerLens", "transformer-lens")
network = workload.network()
model = HookedTransformer(
    HookedTransformerConfig(
        n_layers=workload.LAYERS,
        d_model=workload.WIDTH,
        n_heads=workload.HEADS,
        d_head=workload.HEAD_WIDTH,
        d_mlp=workload.HIDDEN,
        n_ctx=workload.POSITIONS,
        d_vocab=workload.VOCABULARY,
        act_fn="gelu",
        normalization_type="LN",
        device="cpu",
        seed=0,
    )
)
model.load_state_dict(workload.hooked_weights(network), strict=False)
patching.tqdm = lambda items, **_: items


def sweep(data: Data, positions: tuple[int, ...] = (-1,)) -> Tensor:
    with torch.inference_mode():
        _, cache = model.run_with_cache(data.source, names_filter=lambda n: n.endswith(("hook_z", "hook_mlp_out")))
        metric = partial(data.difference, positions=positions)
        heads = patching.get_act_patch_attn_head_out_by_pos(model, data.base, cache, metric)
        mlps = patching.get_act_patch_mlp_out(model, data.base, cache, metric)
        return torch.cat([heads.permute(0, 2, 1), mlps[:, None]], 1)


def live(data: Data) -> Tensor:
    with torch.inference_mode():
        _, cache = model.run_with_cache(data.source, names_filter=lambda n: n.endswith(("hook_z", "hook_mlp_out")))
        frame = pd.DataFrame(workload.LIVE_SITES, columns=["layer", "head", "pos"])
        heads = frame[frame["head"] < workload.HEADS]
        values = torch.empty(len(frame))
        values[heads.index.to_numpy()] = patching.get_act_patch_attn_head_out_by_pos(
            model, data.base, cache, data.difference, index_axis_names=None, index_df=heads[["layer", "pos", "head"]]
        )
        mlps = frame[frame["head"] == workload.HEADS]
        values[mlps.index.to_numpy()] = patching.get_act_patch_mlp_out(
            model, data.base, cache, data.difference, index_axis_names=None, index_df=mlps[["layer", "pos"]]
        )
        return values


for rows in ours.BATCHES:
    data = Data(rows)
    repeats = 7 if rows == 32 else 3
    for look, positions in ours.LOOKS:
        comparison.row(
            f"120 sites, batch {rows}, {look}",
            partial(ours.sites, network, data, positions),
            partial(sweep, data, positions),
            repeats,
        )
    comparison.row(f"live sites, batch {rows}", partial(ours.live, network, data), partial(live, data), repeats)
