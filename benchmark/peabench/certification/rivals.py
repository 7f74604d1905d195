"""Checks of rival hypotheses: those that hold are found in the network, and all others are not, wherever one looks."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from peabench.certification.checks import Check, NullCheck, judged
from peabench.certification.hypothesis_search import Found, search
from peabench.certification.subject import Subject
from peabench.certification.subspaces import alignment_check
from peabench.live import live_subspaces, read_out
from peabench.mechanism import AlgorithmClaim, CausalModel, Hypothesis, Variable, VariableReference
from peabench.networks import Network

REFUTED = 0.05
"""A hypothesis fails whose worst variable is wrong on a larger share of the pairs than this, wherever it is best."""


def with_models(claim: AlgorithmClaim | None) -> list[Hypothesis]:
    """The hypotheses that say what is computed on the way."""
    return [h for h in claim.hypotheses if h.causal_model and h.causal_model.inner] if claim else []


def hypotheses_check(subject: Subject) -> Check | None:
    """Interchange on the mechanism's places gives the counterfactuals of every hypothesis that is said to hold.

    Those of the mechanism's own causal model are the alignment check's.
    """
    own = subject.model
    held = [h for h in with_models(subject.mechanism.algorithm) if h.holds and h.causal_model != own]
    found = [_alignment(subject, hypothesis) for hypothesis in held]
    if not found:
        return None
    return judged(
        "hypotheses",
        "interchange on the places of its variables gives the counterfactual of each further hypothesis that holds",
        sum(check.errors for check in found),
        sum(check.cases for check in found),
        exhaustive=subject.exhaustive,
        null=NullCheck(
            description="random subspaces of the same sizes",
            cases=sum(check.null.cases for check in found if check.null),
            errors=sum(check.null.errors for check in found if check.null),
        ),
        bar=subject.tolerance,
        recorded={f"{h.name} errors": float(check.errors) for h, check in zip(held, found, strict=True)},
    )


def _alignment(subject: Subject, hypothesis: Hypothesis) -> Check:
    """The alignment check of one hypothesis; every case of it is an error if a variable has no place."""
    model = hypothesis.causal_model
    inner = set(model.inner) if model else set()
    placed = tuple(item for item in subject.mechanism.alignments if item.variable in inner)
    claimed = subject.mechanism.model_copy(update={"causal_model": model, "alignments": placed})
    check = alignment_check(replace(subject, mechanism=claimed, counterfactuals={}))
    if inner - {item.variable for item in placed}:
        missed = max(1, check.cases)
        return check.model_copy(update={"cases": missed, "errors": missed})
    return check


def rivals_check(subject: Subject, twin: Network | None) -> Check | None:
    """Every hypothesis that holds can be found in the network, none of its rivals can, and nothing in the twin.

    Where none holds, as of a network that was trained on outputs alone, the search must find the output itself.
    """
    candidates = with_models(subject.mechanism.algorithm)
    held = [h for h in candidates if h.holds]
    rivals = [h for h in candidates if not h.holds]
    if not rivals:
        return None
    models = [h.causal_model for h in candidates if h.causal_model is not None]
    *outcomes, copied = _searched(subject, subject.network, [*models, copying(subject.model)])
    found = dict(zip(candidates, outcomes, strict=True))
    untrained = (
        [] if twin is None or not held else _searched(subject, twin, [h.causal_model for h in held if h.causal_model])
    )
    wrong = sum(not fails(found[h]) for h in rivals) + sum(fails(found[h]) for h in held)
    wrong += sum(not fails(of_twin) for of_twin in untrained)
    recorded = {f"{h.name} {what}": value for h, outcome in found.items() for what, value in figures(outcome).items()}
    for hypothesis, outcome in zip(held, untrained, strict=bool(untrained)):
        recorded[f"{hypothesis.name} wrong in the random-init twin"] = round(outcome.rate, 5)
    return judged(
        "rivals",
        "of each rival hypothesis some variable is nowhere: interchange on any site, whole or in a trained subspace, "
        f"is wrong on more than {REFUTED:.0%} of balanced held-out pairs; the same search finds every variable of the "
        "hypotheses that hold, and not in the random-init twin (cases: hypotheses)",
        wrong,
        len(candidates) + len(untrained),
        exhaustive=True,
        null=NullCheck(
            description="the hypotheses that hold, taken for rivals"
            if held
            else "the output itself, taken for a rival",
            cases=max(1, len(held)),
            errors=sum(not fails(found[h]) for h in held) if held else int(not fails(copied)),
        ),
        recorded=recorded,
    )


def copying(model: CausalModel) -> CausalModel:
    """A model that says of any network no more than what it puts out: its inner variable is the output."""
    output = model.variable(model.output)
    name = next(name for name in ("whole", "whole_") if name not in model.kinds)
    copy = Variable(name=model.output, kind=output.kind, parents=(name,), function=VariableReference(name=name))
    before = [variable for variable in model.variables if variable.name != model.output]
    return CausalModel(variables=(*before, output.model_copy(update={"name": name}), copy), output=model.output)


def fails(outcome: Found) -> bool:
    """Whether a hypothesis is refuted."""
    return outcome.rate > REFUTED


def figures(outcome: Found) -> dict[str, float]:
    """What is recorded of a search."""
    return {"wrong": round(outcome.rate, 5), "errors": float(outcome.errors), "cases": float(outcome.cases)}


def _searched(subject: Subject, network: Network, models: Sequence[CausalModel]) -> list[Found]:
    live = read_out(network)
    if network is subject.network:
        live |= live_subspaces(subject.mechanism, network.graph)
    largest = max((place.dimension for item in subject.mechanism.alignments for place in item.locations), default=0)
    with torch.inference_mode(False):
        return search(network, models, subject.domain, largest, live=live, several_outputs=subject.several_outputs)
