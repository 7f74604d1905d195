"""From what a method measures to suspicions and cues: scaling, association with candidates, what the rule says."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.columns import holds
from peabench.tracks.audits import AuditQuestion
from peabench.tracks.pairs import outputs

SMALLEST = 1e-12
ROUNDING = 1e-6
"""Differences of evidence that are none."""


def passes_each(question: AuditQuestion) -> int:
    """Example-passes that may be spent on each network."""
    return question.budget // len(question.networks)


def scaled(evidence: Float[Tensor, " network"]) -> Float[Tensor, " network"]:
    """Suspicions from 0 for the least evidence of a question to 1 for the most; .5 where all is alike but rounding."""
    least, most = evidence.min(), evidence.max()
    if float(most - least) < ROUNDING * max(1.0, float(most.abs())):
        return torch.full_like(evidence, 0.5)
    return ((evidence - least) / (most - least)).round(decimals=6)


def fires(question: AuditQuestion, rows: Int[Tensor, "row column"]) -> Bool[Tensor, "candidate row"]:
    """Whether each candidate holds on each input; no network is run for it."""
    return holds(question.candidates, rows, question.domain)


def rule(question: AuditQuestion, rows: Int[Tensor, "row column"]) -> Int[Tensor, " row"]:
    """What the networks should predict; no network is run for it."""
    return outputs(question.intended, rows)


def association(
    weights: Float[Tensor, "network row"], fires: Bool[Tensor, "candidate row"]
) -> Float[Tensor, "network candidate"]:
    """Correlation of what was measured on inputs with whether a candidate holds there; 0 where either is constant."""
    one, other = weights.double(), fires.double()
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    lengths = one.norm(dim=1)[:, None] * other.norm(dim=1)[None]
    found: Tensor = torch.where(lengths > SMALLEST, one @ other.T / lengths.clamp(min=SMALLEST), 0.0)
    return found


def idle_columns(question: AuditQuestion, generator: torch.Generator, rows: int = 256) -> list[int]:
    """Columns that the rule does not read, as far as other values in so many inputs tell; no network is run for it."""
    base, other = (question.domain.sample(rows, generator) for _ in range(2))
    right = rule(question, base)
    found = []
    for column in range(base.shape[1]):
        changed = base.clone()
        changed[:, column] = other[:, column]
        if bool((rule(question, changed) == right).all()):
            found.append(column)
    return found


def margins(logits: Float[Tensor, "*row output"], classes: Int[Tensor, " row"]) -> Float[Tensor, "*row"]:
    """How far each prediction is on the side of a class: below 0 where it is another one."""
    if logits.shape[-1] == 1:
        return logits[..., 0] * (2 * classes - 1)
    index = classes.expand(logits.shape[:-1])[..., None]
    others = logits.scatter(-1, index, -torch.inf).amax(-1)
    return logits.gather(-1, index)[..., 0] - others
