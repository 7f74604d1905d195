"""Edge attribution patching: a first-order estimate of every edge's effect from forward and backward passes."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import run_with_cache
from peabench.interventions.metrics import Metric
from peabench.interventions.patching import EdgePatch, run_patched
from peabench.networks import Network

Path = Literal["inputs", "activations"]


def edge_attributions(
    network: Network,
    base_inputs: Int[Tensor, "batch column"],
    source_inputs: Int[Tensor, "batch column"],
    metric: Metric,
    *,
    steps: int = 1,
    path: Path = "inputs",
) -> Float[Tensor, " edge"]:
    """Estimated change of the mean metric when each edge is patched, in the order of `graph.edges`.

    One step is EAP (Syed et al. 2023, arXiv:2310.10348): the node's output in the source run minus its output in the
    base run, times the gradient of the metric at the reader's input in the base run. With more steps the gradient is
    averaged over a path from base to source (EAP-IG, Hanna et al. 2024, arXiv:2403.17806):

    - `inputs`: embedding nodes at base + a (source - base), all else recomputed, a = 0, 1/steps, ..., 1 - 1/steps;
    - `activations`: the reads of all readers blended with the source run's, each edge's mask at the same a; the
      differences are then taken from the run at a, and the attributions approach metric(source) - metric(base)
      in sum as steps grow.
    """
    base, source = run_with_cache(network, base_inputs), run_with_cache(network, source_inputs)
    total = torch.zeros(network.graph.exists.shape)
    embedded = slice(network.graph.n_embedding_nodes)
    for step in range(steps):
        share = step / steps
        run, patched = base, source.nodes
        if path == "inputs" and step:
            blend = torch.lerp(base.nodes[embedded], source.nodes[embedded], share)
            run = run_with_cache(network, base_inputs, blend)
            patched = run.nodes + source.nodes - base.nodes
        mask = torch.full((1, *total.shape), share if path == "activations" else 0.0)
        with torch.enable_grad():
            mask.requires_grad_()
            logits = run_patched(network, run, [EdgePatch(mask, patched[:, None])])
            total += torch.autograd.grad(metric(logits[0]).mean(), mask)[0][0] / steps
    reader, node = network.graph.edge_indices.T
    return total[reader, node]
