"""Residual streams of every network on the same random inputs, as many as the budget allows."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions import run_with_cache
from peabench.tracks.audits import AuditQuestion
from peabench_baselines.audits.evidence import passes_each


@dataclass(frozen=True)
class ProbedStreams:
    """What the last position's stream holds before each stage and before the output."""

    rows: Int[Tensor, "row column"]
    streams: Float[Tensor, "network stage row d_model"]


def probed_streams(question: AuditQuestion, rows: Int[Tensor, "row column"] | None = None) -> ProbedStreams:
    """One run of every network, on random inputs where none are given.

    Cost: a forward pass of each input through each network.
    """
    chosen = question.domain.sample(passes_each(question), question.generator) if rows is None else rows
    runs = [run_with_cache(network, chosen).stage_inputs[:, :, -1] for network in question.networks]
    return ProbedStreams(chosen, torch.stack(runs))
