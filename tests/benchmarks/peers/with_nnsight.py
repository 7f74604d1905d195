"""nnsight on the plain torch module: activation patching."""

from functools import partial

import ours
import torch
import workload
from interleaved import Comparison
from nnsight import NNsight
from torch import Tensor
from workload import Data

comparison = Comparison("nnsight", "nnsight")
network = workload.network()
model = NNsight(workload.plain(network))


def sweep(data: Data, sites: list[tuple[int, int, int]], positions: tuple[int, ...] = (-1,)) -> Tensor:
    with torch.no_grad():
        with model.trace(data.source):
            z0 = model.blocks[0].attn.hook_z.output.save()
            m0 = model.blocks[0].mlp.output.save()
            z1 = model.blocks[1].attn.hook_z.output.save()
            m1 = model.blocks[1].mlp.output.save()
        kept = ((z0, m0), (z1, m1))
        values = []
        for layer, part, position in sites:
            z, mlp = kept[layer]
            if part < workload.HEADS:
                low, high = part * workload.HEAD_WIDTH, (part + 1) * workload.HEAD_WIDTH
                with model.trace(data.base):
                    model.blocks[layer].attn.hook_z.output[:, position, low:high] = z[:, position, low:high]
                    logits = model.output.save()
            else:
                with model.trace(data.base):
                    model.blocks[layer].mlp.output[:, position] = mlp[:, position]
                    logits = model.output.save()
            values.append(data.difference(logits, positions))
    return torch.stack(values)


for rows in ours.BATCHES:
    data = Data(rows)
    repeats = 5 if rows == 32 else 3
    for look, positions in ours.LOOKS:
        comparison.row(
            f"120 sites, batch {rows}, {look}",
            partial(ours.sites, network, data, positions),
            partial(sweep, data, workload.SITES, positions),
            repeats,
        )
    comparison.row(
        f"live sites, batch {rows}",
        partial(ours.live, network, data),
        partial(sweep, data, workload.LIVE_SITES),
        repeats,
    )
