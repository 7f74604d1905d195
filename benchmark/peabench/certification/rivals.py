"""Checks of rival hypotheses: those that hold are found in the network, and all others are not, wherever one looks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from peabench.certification.checks import Check, NullCheck, judged
from peabench.certification.claims import ROWS, idle_variable
from peabench.certification.hypothesis_search import Found, search
from peabench.certification.subject import Subject
from peabench.certification.subspaces import alignment_check
from peabench.errors import PeabenchError
from peabench.live import live_subspaces, read_out
from peabench.mechanism import AlgorithmClaim, CausalModel, Hypothesis, Variable, VariableReference
from peabench.networks import Network

REFUTED = 0.05
"""A hypothesis fails whose worst variable is wrong on a larger share of the pairs than this, wherever it is best."""
SEEDS = 3
"""Of the search: each draws pairs and starts of its own."""


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


@dataclass(frozen=True)
class Evidence:
    """What the searches say of a hypothesis."""

    searches: tuple[tuple[Found, ...], ...]
    """For each seed, each of its inner variables."""

    @property
    def hardest(self) -> Found:
        """The variable that is hardest to find, at the seed that finds it best."""
        by_variable: list[tuple[Found, ...]] = list(zip(*self.searches, strict=True))
        return max((min(found, key=_surely_wrong) for found in by_variable), key=_surely_wrong)

    @property
    def poorest(self) -> Found:
        """The variable that was found worst, at the seed that finds it worst."""
        return max((found for search in self.searches for found in search), key=lambda found: found.at_most)

    @property
    def refuted(self) -> bool:
        """Whether a variable is nowhere, whichever seed one asks."""
        return self.hardest.at_least > REFUTED

    @property
    def found(self) -> bool:
        """Whether every seed finds every variable."""
        return self.poorest.at_most <= REFUTED


def _surely_wrong(found: Found) -> tuple[float, float]:
    return found.at_least, found.rate


def rivals_check(subject: Subject, twin: Network | None) -> Check | None:
    """Every hypothesis that holds can be found in the network, none of its rivals can, and nothing in the twin.

    Where none holds, as of a network that was trained on outputs alone, the search must find the output itself.

    Raises:
        PeabenchError: interchange of some variable never changes the output.
    """
    candidates = with_models(subject.mechanism.algorithm)
    held = [h for h in candidates if h.holds]
    rivals = [h for h in candidates if not h.holds]
    if not rivals:
        return None
    for hypothesis in candidates:
        _require_effects(hypothesis, subject)
    models = [h.causal_model for h in candidates if h.causal_model is not None]
    known = models if held else [*models, copying(subject.model)]
    outcomes = _searched(subject, subject.network, known)
    found = dict(zip(candidates, outcomes, strict=False))
    untrained = (
        [] if twin is None or not held else _searched(subject, twin, [h.causal_model for h in held if h.causal_model])
    )
    wrong = sum(not found[h].refuted for h in rivals) + sum(not found[h].found for h in held)
    wrong += sum(not of_twin.refuted for of_twin in untrained)
    recorded = {f"{h.name} {what}": value for h in candidates for what, value in figures(h, found[h]).items()}
    for hypothesis, evidence in zip(held, untrained, strict=bool(untrained)):
        recorded[f"{hypothesis.name} wrong in the random-init twin"] = round(evidence.hardest.rate, 5)
        recorded[f"{hypothesis.name} wrong in the random-init twin, at least"] = round(evidence.hardest.at_least, 5)
    return judged(
        "rivals",
        f"of each rival hypothesis some variable is nowhere: in each of {SEEDS} searches interchange on any site, "
        f"whole or in a trained subspace, is wrong on more than {REFUTED:.0%} of balanced held-out pairs (95% bound); "
        "each finds every variable of the hypotheses that hold, and not in the random-init twin (cases: hypotheses)",
        wrong,
        len(candidates) + len(untrained),
        exhaustive=True,
        null=NullCheck(
            description="the hypotheses that hold, taken for rivals"
            if held
            else "the output itself, taken for a rival",
            cases=max(1, len(held)),
            errors=sum(not found[h].refuted for h in held) if held else int(not outcomes[-1].refuted),
        ),
        recorded=recorded,
    )


def _require_effects(hypothesis: Hypothesis, subject: Subject) -> None:
    idle = idle_variable(hypothesis.causal_model, subject.domain) if hypothesis.causal_model else None
    if idle is not None:
        raise PeabenchError(
            f"expected variables whose interchange changes the output, got {idle!r} of the hypothesis "
            f"{hypothesis.name!r}, which changes none of {ROWS:,} pairs: no network can show whether it computes it; "
            "leave the variable out"
        )


def copying(model: CausalModel) -> CausalModel:
    """A model that says of any network no more than what it puts out: its inner variable is the output."""
    output = model.variable(model.output)
    name = next(name for name in ("whole", "whole_") if name not in model.kinds)
    copy = Variable(name=model.output, kind=output.kind, parents=(name,), function=VariableReference(name=name))
    before = [variable for variable in model.variables if variable.name != model.output]
    return CausalModel(variables=(*before, output.model_copy(update={"name": name}), copy), output=model.output)


def figures(hypothesis: Hypothesis, evidence: Evidence) -> dict[str, float]:
    """What is recorded of a hypothesis: of one that holds what was found worst, of a rival what is hardest to find."""
    found = evidence.poorest if hypothesis.holds else evidence.hardest
    bound = {"at most": found.at_most} if hypothesis.holds else {"at least": found.at_least}
    share = {"wrong": found.rate} | {f"wrong, {words}": value for words, value in bound.items()}
    rounded = {name: round(value, 5) for name, value in share.items()}
    return rounded | {"errors": float(found.errors), "cases": float(found.cases)}


def _searched(subject: Subject, network: Network, models: Sequence[CausalModel]) -> list[Evidence]:
    live = read_out(network)
    if network is subject.network:
        live |= live_subspaces(subject.mechanism, network.graph)
    largest = max((place.dimension for item in subject.mechanism.alignments for place in item.locations), default=0)
    several = subject.several_outputs
    with torch.inference_mode(False):
        searches = [
            search(network, models, subject.domain, largest, live=live, several_outputs=several, seed=seed)
            for seed in range(SEEDS)
        ]
    return [Evidence(tuple(map(tuple, of_model))) for of_model in zip(*searches, strict=True)]
