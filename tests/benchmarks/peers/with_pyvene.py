"""pyvene on the plain torch module: activation patching and DAS."""

from functools import partial
from types import SimpleNamespace

import ours
import pyvene
import torch
import torch.nn.functional as F
import workload
from interleaved import Comparison
from torch import Tensor
from workload import Data

comparison = Comparison("pyvene", "pyvene")
network = workload.network()
plain = workload.plain(network)
plain.config = SimpleNamespace(hidden_size=workload.WIDTH)  # type: ignore[assignment]  # what pyvene asks of a model
plain.device = torch.device("cpu")  # type: ignore[assignment]


def intervenable(component: str, intervention: object) -> pyvene.IntervenableModel:
    representation = pyvene.RepresentationConfig(
        component=component, unit="pos", max_number_of_units=1, intervention=intervention
    )
    return pyvene.IntervenableModel(pyvene.IntervenableConfig(representations=[representation]), model=plain)


def sweep(data: Data, sites: list[tuple[int, int, int]], positions: tuple[int, ...] = (-1,)) -> Tensor:
    rows = len(data.base)
    values = []
    made: dict[tuple[int, int], pyvene.IntervenableModel] = {}
    with torch.no_grad():
        for layer, part, position in sites:
            if (layer, part) not in made:
                if part < workload.HEADS:
                    parts = [[i * workload.HEAD_WIDTH, (i + 1) * workload.HEAD_WIDTH] for i in range(workload.HEADS)]
                    intervention = pyvene.VanillaIntervention(embed_dim=workload.WIDTH, subspace_partition=parts)
                    made[layer, part] = intervenable(f"blocks[{layer}].attn.hook_z.output", intervention)
                else:
                    intervention = pyvene.VanillaIntervention(embed_dim=workload.WIDTH)
                    made[layer, part] = intervenable(f"blocks[{layer}].mlp.output", intervention)
            where = [[[position]] * rows]
            chosen = {"subspaces": [[[part]] * rows]} if part < workload.HEADS else {}
            _, logits = made[layer, part](
                {"tok": data.base}, [{"tok": data.source}], {"sources->base": (where, where)}, **chosen
            )
            values.append(data.difference(logits, positions))
    return torch.stack(values)


def das(steps: int) -> tuple[Tensor, Tensor]:
    """Losses, and the direction that training began with."""
    base, source, targets = workload.das_data(network)
    model = intervenable(
        "blocks[0].mlp.output",
        pyvene.LowRankRotatedSpaceIntervention(embed_dim=workload.WIDTH, low_rank_dimension=1),
    )
    model.disable_model_gradients()
    start = next(iter(model.interventions.values())).rotate_layer.weight.detach().clone()
    optimiser = torch.optim.Adam(model.get_trainable_parameters(), lr=workload.DAS_RATE)
    losses = []
    for step in range(steps):
        index = torch.arange(step * workload.DAS_BATCH, (step + 1) * workload.DAS_BATCH) % len(base)
        where = [[[workload.DAS_POSITION]] * len(index)]
        _, logits = model({"tok": base[index]}, [{"tok": source[index]}], {"sources->base": (where, where)})
        loss = F.cross_entropy(logits[:, -1], targets[index])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses), start


def first_loss() -> tuple[Tensor, Tensor]:
    """The two parametrisations take different paths, so the loss of the same direction is what must agree."""
    theirs, start = das(1)
    return ours.das(network, start.reshape(1, workload.WIDTH, 1), 1)[0], theirs


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
for seeds, name in ((1, "DAS, 300 steps"), (16, "DAS, 300 steps, 16 seeds at once against one after another")):
    start = torch.randn(seeds, workload.WIDTH, 1, generator=torch.Generator().manual_seed(0))
    comparison.row(
        name, partial(ours.das, network, start), lambda: das(workload.DAS_STEPS)[0], 3, check=first_loss, times=seeds
    )
