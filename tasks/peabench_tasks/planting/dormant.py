"""Dormant nodes: idle ones with the weights of a step, in the step's very place in the stream, that write a constant.

Compositions of weights tell them from no part of the circuit; biases and positions do, and how they behave. A dormant
head attends to position 0 alone, an attention sink (Xiao et al. 2023, arXiv:2309.17453), and what stands there is the
same in every input; a dormant MLP's neurons are dead.

All other heads have *empty channels* beside what they compute: they read a silent direction of the stream, in which
nobody writes, and would write it where variables of the circuit stand.
"""

from collections.abc import Mapping
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.interventions import run_with_cache
from peabench.networks import Transformer
from peabench_tasks.planting.placement import Placement

Place = tuple[int, int | None]
"""Block and head; an MLP has no head."""
SLEEPY = 0.5
"""Factor by which a dormant head's queries and keys are smaller than the step's, so that its sink prevails."""
SINK = 12.0
"""Coordinate in which all queries of a dormant head and its key of position 0 meet."""
CLEAN = 0.05
"""Share of a head's greatest singular value of writing below which a dimension is taken for unused."""
DEAD = 30.0
"""What is taken from the biases of dormant MLPs."""


def idle_places(placement: Placement) -> list[Place]:
    """The nodes that the program leaves idle, block by block."""
    config, busy = placement.config, set(placement.heads.values())
    found: list[Place] = []
    for block in range(config.n_blocks):
        found += [(block, head) for head in range(config.n_heads) if (block, head) not in busy]
        if config.d_mlp and block not in placement.mlps.values():
            found.append((block, None))
    return found


def draw_dormant(placement: Placement, taken: list[Place], seed: int) -> list[tuple[str, Place]]:
    """A step for each idle node that is not taken, one that is still to be read there."""
    program, config = placement.program, placement.config
    rng = Random(f"dormant/{program.name}/{config.n_blocks}/{config.n_heads}/{seed}")
    found = []
    for block, head in idle_places(placement):
        now = 2 * block + (head is None)
        choices = [
            step.variable
            for step in program.steps
            if (step.part == "mlp") == (head is None) and placement.readers_after(step.variable)[-1] > now
        ]
        if (block, head) not in taken and choices:
            found.append((rng.choice(choices), (block, head)))
    return found


@torch.no_grad()
def put_to_sleep(network: Transformer, place: Place, positions: Float[Tensor, "d_model k"]) -> None:
    """Let a node that has been given a step's weights write a constant.

    Args:
        network: changed in place.
        place: the node.
        positions: directions that hold the corners of a simplex for the positions.
    """
    block, head = place
    parts = network.block(block)
    if head is None:
        parts.mlp.b_in.sub_(DEAD)
        return
    first = (network.w_position[0] @ positions) @ positions.T
    weight, bias = parts.attention.w_qkv[head], parts.attention.b_qkv[head]
    for port in range(2):
        weight[port] *= SLEEPY
        bias[port] *= SLEEPY
    meeting = torch.nn.functional.normalize(weight[1].sum(0), dim=0)  # any direction of the head will do
    bias[0] += SINK * meeting
    weight[1] += first[:, None] / first.square().sum() * (SINK * meeting)


@torch.no_grad()
def add_empty_channels(
    placement: Placement,
    network: Transformer,
    spans: Mapping[str, slice],
    basis: Float[Tensor, "d_model d_model"],
    silent: Float[Tensor, " d_model"],
    seed: int,
) -> None:
    """Let every head whose code leaves it dimensions also carry nothing to where other variables are still to be read.

    Args:
        placement: the program in its network.
        network: changed in place: nobody writes in the silent direction any more, and heads read it.
        spans: columns of the basis that hold each step.
        basis: of the stream.
        silent: the direction.
        seed: of the variables that are drawn, and of the basis of each head.
    """
    config, steps = placement.config, placement.program.steps
    rng, generator = Random(f"channels/{seed}"), torch.Generator().manual_seed(seed)
    for block in range(config.n_blocks):
        attention = network.block(block).attention
        unread = {s.variable: spans[s.variable] for s in steps if placement.readers_after(s.variable)[-1] > 2 * block}
        for head in range(config.n_heads):
            value, bias, out = attention.w_qkv[head, 2], attention.b_qkv[head, 2], attention.w_o[head]
            left, sizes, right = torch.linalg.svd(out, full_matrices=False)
            used = int((sizes > CLEAN * sizes[0]).sum())
            own = next((v for v, place in placement.heads.items() if place == (block, head)), None)
            targets = [variable for variable in unread if variable != own]
            if used == config.d_head or not targets:
                continue
            span = basis[:, unread[rng.choice(targets)]]
            carried = torch.zeros(config.d_model, config.d_head - used)
            norm = (value @ out).norm()
            carried[:, 0] = silent * norm
            written = torch.zeros(config.d_head - used, config.d_model)
            written[0] = torch.nn.functional.normalize(span @ torch.randn(span.shape[1], generator=generator), dim=0)
            turn = torch.linalg.qr(torch.randn(config.d_head, config.d_head, generator=generator)).Q
            scale = left[:, :used] * sizes[:used]
            attention.w_qkv[head, 2] = torch.cat([value @ scale, carried], 1) @ turn
            attention.b_qkv[head, 2] = torch.cat([bias @ scale, torch.zeros(config.d_head - used)]) @ turn
            attention.w_o[head] = turn.T @ torch.cat([right[:used], written])
    writers = [network.w_embed, network.w_position]
    for block in range(config.n_blocks):
        writers.append(network.block(block).attention.w_o)
        if config.d_mlp:
            writers.append(network.block(block).mlp.w_out)
    for weight in writers:
        weight.sub_((weight @ silent)[..., None] * silent)


@torch.no_grad()
def make_up_for_constants(network: Transformer, places: list[Place]) -> None:
    """Take what dormant heads write from the biases of their blocks, so that the stream is as if they were not."""
    row = torch.zeros(1, network.config.n_positions, dtype=torch.long)
    for block in range(network.config.n_blocks):
        heads = [head for b, head in places if b == block and head is not None]
        if heads:
            nodes = run_with_cache(network, row).nodes
            addresses = [network.graph.nodes.index(f"block{block}.head{head}") for head in heads]
            network.block(block).attention.b_o.sub_(nodes[addresses, 0, -1].sum(0))
