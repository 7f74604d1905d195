"""Checks of mechanisms that were derived: where heads look, the formula that this gives, and whether it has settled."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.formula import Formula
from peabench.certification.subject import CHUNK_ROWS, Subject
from peabench.interventions import EdgePatch, run_patched, run_with_cache
from peabench.networks import Network

DESTROYED = 0.1
"""Share of the outputs that the loss of one claimed head must break."""
SETTLED = 0.05
"""Largest change of a metric over the last half of training."""
ROWS = 8192
"""Inputs on which heads are ablated and other networks compared."""


def attention_check(subject: Subject, twin: Network | None) -> Check | None:
    """Each head looks most at the keys that are claimed."""
    if not subject.mechanism.attention:
        return None
    formula = Formula.of(subject)
    looked = torch.stack(list(formula.attended()))
    parts = {
        head: (int((~looked[claims]).sum()), looked[claims].numel())
        for head in formula.heads
        if (claims := [i for i, claim in enumerate(formula.claims) if claim.head == head])
    }
    null = None
    if twin is not None:
        untrained = torch.stack(list(Formula.of(subject, run_with_cache(twin, subject.rows[:ROWS])).attended()))
        null = NullCheck(description="the random-init twin", cases=untrained.numel(), errors=int((~untrained).sum()))
    return judged(
        "attention",
        "the key that a head attends to most, at each query of which something is claimed, is a claimed one",
        *totals(parts),
        exhaustive=subject.exhaustive,
        null=null,
        bar=subject.tolerance,
        parts=parts,
    )


def closed_form_check(subject: Subject) -> Check | None:
    """The formula gives the output; without its heads the network fails, without all others it does not."""
    if not subject.mechanism.attention:
        return None
    formula, count = Formula.of(subject), len(subject.rows)
    logits = subject.activations.logits[:, -1:]
    mean = logits.mean(0)
    others = torch.randperm(count, generator=subject.generator)
    wrong = shuffled = 0
    residual = total = 0.0
    for rows in torch.arange(count).split(CHUNK_ROWS):
        got = formula.logits(rows)
        wrong += int((subject.classes(got) != subject.truth[rows]).sum())
        shuffled += int((subject.classes(formula.logits(rows, others[rows])) != subject.truth[rows]).sum())
        residual += float(_centred(got - logits[rows]).square().sum())
        total += float(_centred(logits[rows] - mean).square().sum())
    recorded = {"share of the logits' variance": round(1 - residual / total, 5)}
    unexplained = 0
    for head in formula.heads:
        lost = _wrong_without(subject, [head])
        recorded[f"wrong without {head}"] = round(lost, 5)
        unexplained += lost < DESTROYED
    stages = subject.network.graph.stages
    unclaimed = [
        name
        for stage in stages
        if stage.kind == "attention"
        for name in (subject.network.graph.nodes[n] for n in stage.nodes)
        if name not in formula.heads
    ]
    if unclaimed:
        lost = _wrong_without(subject, unclaimed)
        recorded["wrong without all other heads"] = round(lost, 5)
        unexplained += lost > subject.tolerance
    return judged(
        "closed form",
        "heads that look at the claimed keys alone, with all else at its mean, give the output; one of these heads at "
        "its mean breaks it" + (", all other heads at their means do not" if unclaimed else ""),
        count if unexplained else wrong,
        count,
        exhaustive=subject.exhaustive,
        null=NullCheck(description="the claimed keys of another input", cases=count, errors=shuffled),
        bar=subject.tolerance,
        recorded=recorded,
    )


def settled_check(subject: Subject, halfway: Network | None, twin: Network | None) -> Check | None:
    """The mechanism's own metrics were at the half of training what they are at its end."""
    if halfway is None or not subject.mechanism.attention:
        return None
    end, half = _metrics(subject, subject.network), _metrics(subject, halfway)
    moved = sum(abs(end[name] - half[name]) > SETTLED for name in end)
    null = None
    if twin is not None:
        start = _metrics(subject, twin)
        null = NullCheck(
            description="from the random-init twin to the end",
            cases=len(end),
            errors=sum(abs(end[name] - start[name]) > SETTLED for name in end),
        )
    return judged(
        "settled",
        f"no metric of the mechanism moved by more than {SETTLED} over the last half of training (cases: metrics)",
        moved,
        len(end),
        exhaustive=True,
        null=null,
        recorded={f"{name}, {when}": some[name] for name in end for when, some in (("halfway", half), ("end", end))},
    )


def _metrics(subject: Subject, network: Network) -> dict[str, float]:
    """Shares of inputs on which a network does as the mechanism says."""
    activations = run_with_cache(network, subject.rows[:ROWS])
    formula, truth = Formula.of(subject, activations), subject.truth[:ROWS]
    right = {
        "behaviour": subject.classes(activations.logits) == truth,
        "formula": subject.classes(formula.logits(torch.arange(len(truth)))) == truth,
    }
    attended = list(formula.attended())
    for head in formula.heads:
        of_head = [some for claim, some in zip(formula.claims, attended, strict=True) if claim.head == head]
        right[f"attention of {head}"] = torch.stack(of_head)
    return {name: round(float(some.double().mean()), 5) for name, some in right.items()}


def _wrong_without(subject: Subject, nodes: list[str]) -> float:
    """Share of outputs that are wrong when nodes write their mean over the inputs, whoever reads them."""
    graph = subject.network.graph
    mask = torch.zeros(1, *graph.exists.shape)
    mask[:, :, [graph.nodes.index(node) for node in nodes]] = 1
    mask *= graph.exists
    mean = subject.activations.nodes.mean(1, keepdim=True)[:, None]
    rows = torch.arange(min(ROWS, len(subject.rows)))
    patched = run_patched(subject.network, subject.activations.select(rows), [EdgePatch(mask, mean)])[0]
    return float((subject.classes(patched) != subject.truth[rows]).double().mean())


def _centred(logits: Float[Tensor, "row 1 output"]) -> Float[Tensor, "row 1 output"]:
    """Without the part that no probability depends on."""
    return logits - logits.mean(-1, keepdim=True)
