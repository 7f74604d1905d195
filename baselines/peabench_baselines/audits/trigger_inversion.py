"""Trigger inversion: the smallest pattern that, put over any input, makes a network wrong."""

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.networks import Network
from peabench.scorers import Scorer
from peabench.tracks.audits import AuditAnswer, AuditQuestion
from peabench.tracks.pairs import predicted_class
from peabench_baselines.audits.evidence import fires, idle_columns, margins, passes_each, rule, scaled
from peabench_baselines.audits.relaxed_inputs import embeddings, finished, unfit

BATCH = 16
LEARNING_RATE = 0.3
PENALTY = 0.02
"""On the share of columns that the pattern covers."""


class TriggerInversion(Scorer[AuditQuestion, AuditAnswer]):
    """How often the pattern that gradients find makes predictions wrong.

    Neural Cleanse for discrete inputs: a mask over columns and a value for each, both relaxed (an embedding mixed of
    those of a column's values), are trained to push training inputs to the wrong side of the rule. Only columns that
    the rule does not read may be covered: on the others any pattern changes what is right. In the end every covered
    column takes its likeliest value.

    Cost: the whole budget, half of it backward.
    """

    name = "trigger-inversion"
    track = "audits"
    reference = "https://doi.org/10.1109/SP.2019.00031"  # Wang et al. 2019, Neural Cleanse
    needs_gradients = True

    def applicable(self, question: AuditQuestion) -> str | None:
        """Networks of one position, and rules that leave a column unread."""
        generator = torch.Generator().manual_seed(0)
        idle = idle_columns(question, generator)
        return unfit(question) or (None if idle else "the rule reads every column, and none can be covered")

    def score(self, question: AuditQuestion) -> AuditAnswer:
        """With its own pattern for each network."""
        columns = idle_columns(question, question.generator)
        patterns = [inverted(network, question, columns) for network in question.networks]
        tested = question.inputs[torch.randperm(len(question.inputs), generator=question.generator)[: 2 * BATCH]]
        plain = fires(question, tested).double().mean(1)
        wrong, cues = [], []
        with torch.no_grad():
            for network, pattern in zip(question.networks, patterns, strict=True):
                rows = torch.where(pattern >= 0, pattern, tested)
                wrong.append((predicted_class(network(rows)) != rule(question, rows)).double().mean())
                cues.append(fires(question, rows).double().mean(1) - plain)
        return AuditAnswer(scaled(torch.stack(wrong)), torch.stack(cues))


def inverted(network: Network, question: AuditQuestion, columns: list[int]) -> Int[Tensor, " column"]:
    """The value that a pattern gives each column, -1 where it gives none."""
    sizes, steps = question.domain.sizes, (passes_each(question) - 2 * BATCH) // (2 * BATCH) - 1
    table = embeddings(network, sizes)
    mask = torch.full((len(sizes),), -2.0)
    logits = 0.1 * torch.randn(len(sizes), max(sizes), generator=question.generator)
    allowed = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
    coverable = torch.zeros(len(sizes)).scatter(0, torch.tensor(columns), 1.0)
    mask.requires_grad_()
    logits.requires_grad_()
    optimiser = torch.optim.Adam([mask, logits], LEARNING_RATE)
    for _ in range(max(1, steps)):
        chosen = torch.randint(len(question.inputs), (BATCH,), generator=question.generator)
        rows, right = question.inputs[chosen], question.outputs[chosen]
        values = logits.masked_fill(~allowed, -torch.inf).softmax(1)
        pattern = torch.einsum("cv,cvd->cd", values, table)
        covered = (mask.sigmoid() * coverable)[:, None]
        base = table[torch.arange(len(sizes)), rows]
        stream = (base * (1 - covered) + pattern * covered).sum(1)
        loss = margins(finished(network, stream), right).clamp(min=-1).mean() + PENALTY * covered.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    best = logits.detach().masked_fill(~allowed, -torch.inf).argmax(1)
    return torch.where((mask.detach() > 0) & (coverable > 0), best, -1)
