"""The rows of the table as calls of the engine, one line each."""

from collections.abc import Sequence

import torch
import workload
from torch import Tensor
from workload import EVERY, Data

from peabench.interventions import Activations, edge_attributions, run_with_cache, sweep_edges, sweep_sites, train_das
from peabench.networks import Transformer


def sites(network: Transformer, data: Data, positions: tuple[int, ...] = (-1,)) -> Tensor:
    """The 120-site sweep: mean metric of each site."""
    with torch.inference_mode():
        nodes = network.graph.nodes[1:]
        return sweep_sites(network, data.base, data.source, data.metric(positions), nodes=nodes).mean(-1).flatten()


def live(network: Transformer, data: Data) -> Tensor:
    """The mean metric of the sites that can reach the last position."""
    index = [workload.SITES.index(site) for site in workload.LIVE_SITES]
    return sites(network, data)[index]


def edges(network: Transformer, data: Data) -> Tensor:
    """Exact patching of every edge."""
    with torch.inference_mode():
        return sweep_edges(network, data.base, data.source, data.metric()).mean(-1)


def attributions(network: Transformer, data: Data) -> Tensor:
    """Edge attribution patching."""
    return edge_attributions(network, data.base, data.source, data.metric())


def das_runs(network: Transformer) -> tuple[Activations, Activations, Tensor]:
    """Cached base and source runs, and targets."""
    base, source, targets = workload.das_data(network)
    last = (workload.POSITIONS - 1,)
    return run_with_cache(network, base, look=last), run_with_cache(network, source, look=last), targets


def das(network: Transformer, start: Tensor, steps: int = workload.DAS_STEPS) -> Tensor:
    """DAS from the inputs on, the cached runs included: losses [step, seed]."""
    base, source, targets = das_runs(network)
    return train_das(
        network,
        base,
        source,
        workload.DAS_SITE,
        targets,
        start=start,
        steps=steps,
        batch_size=workload.DAS_BATCH,
        learning_rate=workload.DAS_RATE,
    ).losses


LOOKS: Sequence[tuple[str, tuple[int, ...]]] = (("last position", (-1,)), ("all positions", EVERY))
BATCHES = (32, 512)
