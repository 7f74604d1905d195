"""Check of the networks that are asked about together: what they do must not tell them apart."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.certification.behaviour import LARGEST_DOMAIN_OF_A_NULL
from peabench.certification.checks import Check, NullCheck, judged
from peabench.certification.subject import CHUNK_ROWS, Subject
from peabench.networks import Network
from peabench.networks.gauge import random_gauge

GAUGES = 5
"""Drawn of each network, to see how much rounding changes its logits."""
GAUGED_ROWS = 4096
ABOVE_ROUNDING = 10
"""So many times the largest of these changes every margin must be."""


def same_behaviour_check(subject: Subject, companions: Sequence[Network], twin: Network | None) -> Check | None:
    """Every companion gives the network's own output on every input, where a million or fewer can be listed.

    An output also counts as wrong that rounding might turn: where the margin of either network, between the output
    given and the next one, is not above ten times the largest change of a logit of it in another gauge.
    """
    if not companions:
        return None
    domain = subject.domain
    whole = domain.frequency is None and domain.size <= LARGEST_DOMAIN_OF_A_NULL
    count = domain.size if whole else len(subject.rows)
    networks = (subject.network, *companions)
    rounding = [_rounding(network, subject.rows[:GAUGED_ROWS], subject.generator) for network in networks]
    errors = untrained = 0
    margin = float("inf")
    for numbers in torch.arange(count).split(CHUNK_ROWS):
        rows = domain.rows(numbers) if whole else subject.rows[numbers]
        logits = [_last(network, rows) for network in networks]
        margins = [_margin(subject, some) for some in logits]
        faint = [some <= ABOVE_ROUNDING * change for some, change in zip(margins, rounding, strict=True)]
        for theirs, theirs_faint in zip(logits[1:], faint[1:], strict=True):
            errors += int((_different(subject, logits[0], theirs) | faint[0] | theirs_faint).sum())
        margin = min(margin, *(float(some.min()) for some in margins))
        untrained += 0 if twin is None else int(_different(subject, logits[0], _last(twin, rows)).sum())
    return judged(
        "same behaviour",
        f"every companion gives the network's own output, by margins above {ABOVE_ROUNDING} times what another gauge "
        "changes",
        errors,
        count * len(companions),
        exhaustive=whole,
        null=None if twin is None else NullCheck(description="the random-init twin", cases=count, errors=untrained),
        recorded={
            "smallest margin": float(f"{margin:.5g}"),
            f"largest change of a logit in {GAUGES} other gauges": float(f"{max(rounding):.2g}"),
        },
    )


@torch.no_grad()
def _rounding(network: Network, rows: Int[Tensor, "row column"], generator: torch.Generator) -> float:
    """The largest change of a logit between a network and the same one in other gauges."""
    own = _last(network, rows)
    changes = [_last(random_gauge(network, generator)[0], rows) - own for _ in range(GAUGES)]
    return float(torch.stack(changes).abs().max())


@torch.no_grad()
def _last(network: Network, rows: Tensor) -> Float[Tensor, "row 1 output"]:
    resid = network.start(network.embedding_nodes(rows))
    for stage in range(len(network.graph.stages)):
        resid = network.stage_sum(stage, resid)
    return network.unembed(resid[:, -1:])


def _different(
    subject: Subject, ours: Float[Tensor, "row 1 output"], theirs: Float[Tensor, "row 1 output"]
) -> Bool[Tensor, " row"]:
    other = subject.classes(ours) != subject.classes(theirs)
    return other.reshape(len(other), -1).any(1)


def _margin(subject: Subject, logits: Float[Tensor, "row 1 output"]) -> Float[Tensor, " row"]:
    """Distance of each row's nearest logit to where the output is another one."""
    if subject.several_outputs or logits.shape[-1] == 1:
        return logits.abs().flatten(1).amin(1)
    first, second = logits.topk(2, -1).values.unbind(-1)
    return (first - second).flatten()
