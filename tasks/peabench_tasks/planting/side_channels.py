"""Side channels: what a head's code leaves free of its dimensions carries other content to where no circuit node reads.

Every head that has dimensions to spare, of the circuit or not, also reads what others write, variables, tokens and
shadows alike, and writes it into directions of the stream from which nothing of the circuit reads, its own ones in each
head. So a head is read by its readers, and yet most of what enters it is not what they read: weights that fit one
another, followed edge by edge (Elhage et al. 2021), lead through the circuit's own heads to nodes that are no part of
it.
"""

import logging
import shutil
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.certification import Check, certify
from peabench.certification.checks import judged
from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.mechanism import Mechanism
from peabench.networks import Network, Transformer
from peabench.tasks import CERTIFICATE_FILE, TaskRecord, load_task, save_task
from peabench_tasks.card import write_certificate
from peabench_tasks.planting.unread import readings_of_all_that_varies, unread_space

ROWS = 512
"""Inputs on which it is seen what varies."""
UNUSED = 0.02
"""Share of the greatest singular value of what a head's values carry below which a dimension is free."""


class Draw(NamedTuple):
    """One attempt at side channels."""

    strength: float
    """How much a head's side channels carry, as a share of what its values carry already: standard deviations over
    inputs and positions."""
    channels: int
    """Directions that a head writes into, at most as many as it has free."""
    most_read: float
    """Up to which a direction counts as unread (`unread_space`)."""


DRAWS = (
    *[Draw(1.0, 3, 1e-4)] * 2,
    Draw(1.0, 3, 3e-5),
    *[Draw(0.5, 3, 3e-5)] * 2,
    *[Draw(0.25, 3, 3e-5)] * 2,
    Draw(0.25, 1, 3e-5),
)
"""What is tried in turn, each with other random directions. Where many heads write before an MLP of steep neurons, the
little that it reads of each adds up."""

log = logging.getLogger(__name__)


def certify_with_side_channels(
    folder: Path,
    record: TaskRecord,
    network: Transformer,
    mechanism: Mechanism,
    twins: dict[str, Network],
    seed: int,
) -> list[Check]:
    """Write a task whose network has side channels, its certificate and its card, if a draw passes every check.

    All is measured and written elsewhere first; if no draw passes the folder is left as it was.

    Returns:
        The checks of the draw that passed, or of the last one.
    """
    checks: list[Check] = []
    for number, draw in enumerate(DRAWS):
        with TemporaryDirectory() as name:
            draft = Path(name)
            changed = with_side_channels(network, mechanism, record.domain, seed, number)
            if flipped := answers_that_differ(network, changed, record.domain):
                log.warning("%s: draw %d %s changes %d of %d answers", record.id, number, tuple(draw), flipped, ROWS)
                claim = "the answers are what they were without side channels"
                checks = [judged("answers kept", claim, flipped, ROWS, exhaustive=False, null=None)]
                continue
            save_task(draft, record, changed, mechanism, twins)
            checks = certify(load_task(draft))
            failed = [f"{check.name}: {check.errors} of {check.cases}" for check in checks if not check.passed]
            if not failed:
                write_certificate(draft, checks)
                _put_in_place(draft, folder)
                break
            log.warning("%s: draw %d %s fails %s", record.id, number, tuple(draw), "; ".join(failed))
    return checks


def _put_in_place(draft: Path, folder: Path) -> None:
    """Move the files of a certified task; the folder has no certificate until all the others are there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CERTIFICATE_FILE).unlink(missing_ok=True)
    for file in sorted(draft.iterdir(), key=lambda file: file.name == CERTIFICATE_FILE):
        shutil.move(file, folder / file.name)


def answers_that_differ(one: Transformer, other: Transformer, domain: ProductDomain) -> int:
    """On how many of `ROWS` inputs two networks answer differently: what is seen at once need not be certified."""
    inputs = domain.sample(ROWS, torch.Generator().manual_seed(0))
    first, second = (network(inputs)[:, -1].argmax(-1) for network in (one, other))
    return int((first != second).sum())


def with_side_channels(
    network: Transformer, mechanism: Mechanism, domain: ProductDomain, seed: int, number: int
) -> Transformer:
    """A copy of the network with the side channels of one of the draws; `seed` is the task's."""
    changed = deepcopy(network)
    add_side_channels(changed, mechanism, domain, len(DRAWS) * seed + number, DRAWS[number])
    return changed


@torch.no_grad()
def add_side_channels(
    network: Transformer, mechanism: Mechanism, domain: ProductDomain, seed: int, draw: Draw = DRAWS[0]
) -> None:
    """Give every head side channels; none of them reads what the others write.

    Args:
        network: changed in place.
        mechanism: whose circuit's readers are spared.
        domain: of the network's inputs.
        seed: of what is read, of where each head writes it, and of each head's basis.
        draw: how strong they are, and how many.
    """
    config, generator = network.config, torch.Generator().manual_seed(seed)
    inputs = domain.sample(ROWS, generator)
    ran, unread = run_with_cache(network, inputs), unread_space(network, mechanism, inputs, draw.most_read)
    for block in range(config.n_blocks):
        attention = network.block(block).attention
        stream = ran.stage_inputs[network.graph.first_stage_of_block(block)].flatten(0, 1)
        readable = stream - stream @ unread @ unread.T
        for head, out in enumerate(attention.w_o):
            value, bias = attention.w_qkv[head, 2], attention.b_qkv[head, 2]
            left, sizes, right = torch.linalg.svd(value @ out)
            used = int((sizes > UNUSED * sizes[0]).sum())
            count = min(config.d_head - used, draw.channels, unread.shape[1])
            if count <= 0:
                continue
            reading = readings_of_all_that_varies(readable, count, generator)
            reading *= draw.strength * _deviation(stream @ value @ out) / _deviation(readable @ reading)
            written = unread @ torch.linalg.qr(torch.randn(unread.shape[1], count, generator=generator)).Q
            idle = config.d_head - used - count
            turn = torch.linalg.qr(torch.randn(config.d_head, config.d_head, generator=generator)).Q
            constant = bias @ out
            attention.b_o.add_(constant - constant @ right[:used].T @ right[:used])
            attention.w_qkv[head, 2] = _padded(torch.cat([left[:, :used] * sizes[:used], reading], 1), idle) @ turn
            attention.b_qkv[head, 2] = _padded((right[:used] @ constant)[None], count + idle)[0] @ turn
            attention.w_o[head] = turn.T @ _padded(torch.cat([right[:used], written.T]).T, idle).T


def _deviation(written: Float[Tensor, "row any"]) -> Float[Tensor, ""]:
    deviation: Tensor = (written - written.mean(0)).norm()
    return deviation


def _padded(matrix: Float[Tensor, "row column"], count: int) -> Float[Tensor, "row wider"]:
    return torch.nn.functional.pad(matrix, (0, count))
