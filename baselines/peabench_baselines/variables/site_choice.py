"""Choosing between subspaces by interchange on the validation pairs, alike for all methods."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions import interchange, run_with_cache
from peabench.tracks.pairs import Pairs, balanced_accuracy, predicted_class
from peabench.tracks.variables import VariableAnswer, VariableQuestion

Bases = Mapping[str, Float[Tensor, "d_model k"] | None]
"""A basis for each site; None for the whole of it."""


def choose_site(question: VariableQuestion, bases: Bases) -> VariableAnswer:
    """The site whose basis does best on the validation pairs."""
    quality = site_quality(question, bases)
    best = max(quality, key=lambda site: quality[site])
    return VariableAnswer(best, bases[best])


def site_quality(question: VariableQuestion, bases: Bases) -> dict[str, tuple[float, float]]:
    """Balanced interchange accuracy on the validation pairs; among equals, minus the balanced cross-entropy decides."""
    network, pairs = question.network, question.validation
    identity = torch.eye(network.config.d_model, device=pairs.base.device)
    quality = {}
    with torch.inference_mode():
        base, source = run_with_cache(network, pairs.base), run_with_cache(network, pairs.source)
        for site, basis in bases.items():
            logits = interchange(network, base, source, site, (identity if basis is None else basis)[None])[0]
            accuracy = float(balanced_accuracy(predicted_class(logits), pairs))
            quality[site] = (accuracy, -balanced_cross_entropy(logits, pairs))
    return quality


def balanced_cross_entropy(logits: Float[Tensor, "pair position output"], pairs: Pairs) -> float:
    """Cross-entropy with the counterfactual output, the mean over both kinds of pairs, or over the only one."""
    losses = cross_entropy(logits, pairs.counterfactual)
    kinds = [losses[kind].mean() for kind in (pairs.should_change, ~pairs.should_change) if bool(kind.any())]
    return float(torch.stack(kinds).mean())


def cross_entropy(
    logits: Float[Tensor, "pair position output"], classes: Int[Tensor, " pair"]
) -> Float[Tensor, " pair"]:
    """Of each pair's last position; a single output is the logit of class 1."""
    last = logits[:, -1]
    if last.shape[-1] == 1:
        return F.binary_cross_entropy_with_logits(last[:, 0], classes.to(last.dtype), reduction="none")
    return F.cross_entropy(last, classes, reduction="none")
