"""Sizes at joint sufficiency against one spelled-out run for each size, input pair set and ablation."""

from itertools import pairwise

import pytest
import torch
from brute_force import forward_edges, node_outputs
from random_networks import inputs_of, network_of

from peabench.networks import NetworkConfig, ResidualMLPConfig, TransformerConfig
from peabench.tracks.faithfulness import SIZES, faithful_sizes, tried_sizes

CONFIGS: list[NetworkConfig] = [
    ResidualMLPConfig(n_inputs=4, d_model=8, n_blocks=3, n_units=2, d_hidden=5),
    TransformerConfig(d_vocabulary=5, n_positions=3, d_model=8, n_blocks=2, n_heads=2, d_head=3, d_mlp=7, d_output=4),
]
TRUE_SIZE = 7


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("ties", [False, True])
def test_the_least_tried_size_that_keeps_every_prediction(config: NetworkConfig, ties: bool) -> None:
    network = network_of(config, 0)
    base, source = inputs_of(network, 40, 1), inputs_of(network, 40, 2)
    effect = [float(network.w_output.norm()) * (node + 1) for _, node in network.graph.edge_indices.tolist()]
    scores = torch.tensor(effect).double() // (20 if ties else 1e-9)
    found = faithful_sizes(network, network.graph.edge_indices, scores, TRUE_SIZE, base, source)
    theirs = torch.stack([node_outputs(network, source)[name] for name in network.graph.nodes])
    whole = predicted(network(base))
    carried = {"resample": theirs, "mean": theirs.mean(1, keepdim=True).expand_as(theirs), "zero": 0 * theirs}
    for ablation, replacement in carried.items():
        for size in tried_sizes(scores, TRUE_SIZE):
            top = scores.sort(descending=True, stable=True).indices[:size]
            mask = network.graph.exists.float()
            for edge in top.tolist():
                mask[tuple(network.graph.edge_indices[edge].tolist())] = 0
            if torch.equal(predicted(forward_edges(network, base, mask, replacement)), whole):
                break
        assert found[ablation] == size / TRUE_SIZE  # type: ignore[index]
    assert found["resample"] > 1 / TRUE_SIZE


def predicted(logits: torch.Tensor) -> torch.Tensor:
    last = logits[:, -1]
    return last[:, 0] > 0 if last.shape[1] == 1 else last.argmax(1)


def test_sizes_are_a_geometric_grid_and_never_cut_through_equal_scores() -> None:
    apart = tried_sizes(torch.arange(400).double(), 20)
    assert apart == sorted({min(400, max(1, round(20 * ratio))) for ratio in SIZES} | {400})
    assert 20 in apart
    steps = [later / earlier for earlier, later in pairwise(apart[20:])]
    assert max(steps) < 1.2
    tied = torch.tensor([5.0] * 10 + [3.0] * 100 + [1.0] * 290).double()
    assert tried_sizes(tied, 20) == [10, 110, 400]
    assert tried_sizes(torch.zeros(400).double(), 20) == [400]
