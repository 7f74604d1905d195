"""Check of the networks that are asked about together: what they do must not tell them apart."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.certification.behaviour import LARGEST_DOMAIN_OF_A_NULL
from peabench.certification.checks import Check, NullCheck, judged
from peabench.certification.subject import CHUNK_ROWS, Subject
from peabench.networks import Network


def same_behaviour_check(subject: Subject, companions: Sequence[Network], twin: Network | None) -> Check | None:
    """Every companion gives the network's own output on every input, where a million or fewer can be listed.

    Recorded beside it: the smallest margin of any of them between the output given and the next one, which rounding in
    another gauge must not bridge.
    """
    if not companions:
        return None
    domain = subject.domain
    whole = domain.frequency is None and domain.size <= LARGEST_DOMAIN_OF_A_NULL
    count = domain.size if whole else len(subject.rows)
    errors = untrained = 0
    margin = float("inf")
    for numbers in torch.arange(count).split(CHUNK_ROWS):
        rows = domain.rows(numbers) if whole else subject.rows[numbers]
        own = final_logits(subject.network, rows)
        margin = min(margin, _margin(subject, own))
        for companion in companions:
            theirs = final_logits(companion, rows)
            errors += _different(subject, own, theirs)
            margin = min(margin, _margin(subject, theirs))
        untrained += 0 if twin is None else _different(subject, own, final_logits(twin, rows))
    return judged(
        "same behaviour",
        "every companion gives the network's own output",
        errors,
        count * len(companions),
        exhaustive=whole,
        null=None if twin is None else NullCheck(description="the random-init twin", cases=count, errors=untrained),
        recorded={"smallest margin": round(margin, 5)},
    )


@torch.no_grad()
def final_logits(network: Network, rows: Tensor) -> Float[Tensor, "row 1 output"]:
    """Logits at the last position, of which no node is kept apart."""
    resid = network.start(network.embedding_nodes(rows))
    for stage in range(len(network.graph.stages)):
        resid = network.stage_sum(stage, resid)
    return network.unembed(resid[:, -1:])


def _different(subject: Subject, ours: Float[Tensor, "row 1 output"], theirs: Float[Tensor, "row 1 output"]) -> int:
    other = subject.classes(ours) != subject.classes(theirs)
    return int(other.reshape(len(other), -1).any(1).sum())


def _margin(subject: Subject, logits: Float[Tensor, "row 1 output"]) -> float:
    """Distance of the nearest logit to where the output is another one."""
    if subject.several_outputs or logits.shape[-1] == 1:
        return float(logits.abs().min())
    first, second = logits.topk(2, -1).values.unbind(-1)
    return float((first - second).min())
