"""Side channels: what a head's code leaves free of its dimensions carries other content to where no circuit node reads.

Every head that has dimensions to spare, of the circuit or not, also reads what others write, variables, tokens and
shadows alike, and writes it into directions of the stream from which nothing of the circuit reads. So a head is read by
its readers, and yet most of what enters it is not what they read: weights that fit one another, followed edge by edge
(Elhage et al. 2021), lead through the circuit's own heads to nodes that are no part of it.
"""

from copy import deepcopy
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.certification import Check, certify
from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.mechanism import Mechanism
from peabench.networks import Network, Transformer
from peabench.tasks import TaskRecord, load_task, save_task
from peabench_tasks.card import write_certificate
from peabench_tasks.planting.unread import readings_of_all_that_varies, unread_directions

ROWS = 512
"""Inputs on which it is seen what varies."""
UNUSED = 0.02
"""Share of a head's greatest singular value of writing below which a dimension is free."""
CHANNELS = 3
"""Directions that are written into, at most as many as a head has free."""
STRENGTH = 1.0
"""How much a head's side channels carry, as a share of what its values carry already: standard deviations over inputs
and positions."""
DRAWS = 3
"""How many draws of side channels are tried: some disturb a shadow so much that answers change."""


def certify_with_side_channels(
    folder: Path,
    record: TaskRecord,
    network: Transformer,
    mechanism: Mechanism,
    twins: dict[str, Network],
    seed: int,
) -> list[Check]:
    """Write a task whose network has side channels; if it passes, its certificate and card as well."""
    checks: list[Check] = []
    for draw in range(DRAWS):
        changed = deepcopy(network)
        add_side_channels(changed, mechanism, record.domain, DRAWS * seed + draw)
        save_task(folder, record, changed, mechanism, twins)
        checks = certify(load_task(folder))
        if all(check.passed for check in checks):
            write_certificate(folder, checks)
            break
    return checks


@torch.no_grad()
def add_side_channels(network: Transformer, mechanism: Mechanism, domain: ProductDomain, seed: int) -> None:
    """Give every head side channels; none of them reads what the others write.

    Args:
        network: changed in place.
        mechanism: whose circuit's readers are spared.
        domain: of the network's inputs.
        seed: of what is read, and of each head's basis.
    """
    config, generator = network.config, torch.Generator().manual_seed(seed)
    ran = run_with_cache(network, domain.sample(ROWS, generator))
    unread = unread_directions(network, mechanism, CHANNELS)
    for block in range(config.n_blocks):
        attention = network.block(block).attention
        stream = ran.stage_inputs[network.graph.first_stage_of_block(block)].flatten(0, 1)
        readable = stream - stream @ unread @ unread.T
        for head, out in enumerate(attention.w_o):
            value, bias = attention.w_qkv[head, 2], attention.b_qkv[head, 2]
            left, sizes, right = torch.linalg.svd(out, full_matrices=False)
            used = int((sizes > UNUSED * sizes[0]).sum())
            count = min(config.d_head - used, CHANNELS)
            if not count:
                continue
            kept = left[:, :used] * sizes[:used]
            reading = readings_of_all_that_varies(readable, count, generator)
            reading *= STRENGTH * _deviation(stream @ value @ out) / _deviation(readable @ reading)
            idle = config.d_head - used - count
            turn = torch.linalg.qr(torch.randn(config.d_head, config.d_head, generator=generator)).Q
            attention.w_qkv[head, 2] = _padded(torch.cat([value @ kept, reading], 1), idle) @ turn
            attention.b_qkv[head, 2] = _padded((bias @ kept)[None], count + idle)[0] @ turn
            attention.w_o[head] = turn.T @ _padded(torch.cat([right[:used], unread[:, :count].T]).T, idle).T


def _deviation(written: Float[Tensor, "row any"]) -> Float[Tensor, ""]:
    deviation: Tensor = (written - written.mean(0)).norm()
    return deviation


def _padded(matrix: Float[Tensor, "row column"], count: int) -> Float[Tensor, "row wider"]:
    return torch.nn.functional.pad(matrix, (0, count))
