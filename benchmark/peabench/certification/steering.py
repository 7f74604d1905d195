"""Check of steering: with a direction added or ablated, or an expert silenced, every input answers as is claimed."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.subject import NULL_PAIRS, Subject
from peabench.certification.subspaces import Place, places, random_basis
from peabench.columns import LARGEST_LISTED_DOMAIN, every_input
from peabench.errors import PeabenchError
from peabench.interventions import SubspacePatch, run_patched, run_with_cache
from peabench.mechanism import Steering, evaluate
from peabench.mechanism.causal_model import Values

Held = tuple[Place, Float[Tensor, "#position k"]]
"""A subspace, and the coordinates that are put in place of those that an input gives."""


def steering_check(subject: Subject) -> Check | None:
    """Every steering that is claimed, at each certified site, on every input of a domain that can be listed.

    A variable is held at a value by setting the coordinates of its subspace to their mean over inputs that give it that
    value: for a single direction that is adding the difference of means, or ablating the direction to one of them.

    Raises:
        PeabenchError: no input that is looked at gives a variable the value it is held at.
    """
    claims = subject.mechanism.steering or ()
    if not claims:
        return None
    domain = subject.domain
    whole = domain.frequency is None and domain.size <= LARGEST_LISTED_DOMAIN
    errors, cases, recorded = dict[str, int](), dict[str, int](), dict[str, float]()
    for rows in every_input(domain) if whole else iter([subject.rows]):
        for claim in claims:
            for i, held in enumerate(_held(subject, claim)):
                wrong, changed = steered(subject, claim, held, rows)
                errors[claim.name] = errors.get(claim.name, 0) + int(wrong.sum())
                cases[claim.name] = cases.get(claim.name, 0) + len(rows)
                if i == 0:
                    name = f"{claim.name}: outputs that change"
                    recorded[name] = recorded.get(name, 0) + float(changed.sum())
    null = _null(subject, claims)
    parts = {name: (errors[name], cases[name]) for name in errors}
    return judged(
        "steering",
        "with variables held at fixed values, at each certified site, outputs are those of the causal model, what is "
        "said of them is true, and they stay what they are where it does not act",
        *totals(parts),
        exhaustive=whole,
        null=NullCheck(
            description="the same of random subspaces (errors: of the claim that they break least)",
            cases=min(NULL_PAIRS, len(subject.rows)),
            errors=min(null.values()),
        ),
        bar=subject.tolerance,
        parts=parts,
        recorded=recorded,
    )


def steered(
    subject: Subject, claim: Steering, held: tuple[Held, ...], rows: Int[Tensor, "row column"]
) -> tuple[Bool[Tensor, " row"], Bool[Tensor, " row"]]:
    """Which outputs are not as is claimed when subspaces are set, and which are other ones than without."""
    model, base = subject.model, run_with_cache(subject.network, rows)
    patches = []
    for place, values in held:
        select = torch.zeros(1, 1, subject.network.graph.n_positions, 1)
        select[:, :, subject.position_of(place.site)] = 1
        patches.append(SubspacePatch(subject.stage_of(place.site), place.basis[None], values[None, None], select))
    got = subject.classes(run_patched(subject.network, base, subspaces=patches))[0]
    inputs = model.read_inputs(rows)
    without = model.run(inputs)
    settings = {name: value.expand(len(rows)) for name, value in _settings(subject, claim).items()}
    with_it = model.run(inputs, settings)
    acts = evaluate(claim.where, without, model.kinds).expand(len(rows))
    said = evaluate(claim.outcome, with_it, model.kinds).expand(len(rows))
    plain, want = (values[model.output].long() for values in (without, with_it))
    return (got != want) | torch.where(acts, ~said, want != plain), got != plain


def _settings(subject: Subject, claim: Steering) -> Values:
    kinds = {name: value.dtype for name, value in subject.values.items()}
    return {s.variable: torch.tensor(s.value).to(kinds[s.variable]) for s in claim.settings}


def _held(subject: Subject, claim: Steering) -> Iterator[tuple[Held, ...]]:
    """The claim's subspaces and their coordinates: each variable at its first site, at its second, ..., at its last."""
    wanted = _settings(subject, claim)
    known = {name: [place for place in places(subject) if place.variable == name] for name in wanted}
    for i in range(max(map(len, known.values()))):
        chosen = [places_of[min(i, len(places_of) - 1)] for places_of in known.values()]
        yield tuple((place, _mean(subject, place, wanted[place.variable])) for place in chosen)


def _mean(subject: Subject, place: Place, value: Tensor) -> Float[Tensor, "#position k"]:
    """Mean coordinates in a subspace of the inputs that give its variable a value."""
    has_it = subject.values[place.variable] == value
    if not bool(has_it.any()):
        raise PeabenchError(
            f"Expected inputs on which {place.variable} is {value.item()}, got none; hold it at one less rare."
        )
    stream = subject.activations.stage_inputs[subject.stage_of(place.site)]
    mean = stream[:, subject.position_of(place.site)][has_it].mean(0) @ place.basis
    return mean.reshape(-1, place.basis.shape[1])


def _null(subject: Subject, claims: tuple[Steering, ...]) -> Mapping[str, int]:
    """How many of a few inputs answer otherwise than is claimed when random subspaces are set in the same way."""
    found = {}
    for claim in claims:
        wanted, (first, *_) = _settings(subject, claim), _held(subject, claim)
        elsewhere = [Place(place.variable, place.site, random_basis(subject, place.basis)) for place, _ in first]
        held = tuple((place, _mean(subject, place, wanted[place.variable])) for place in elsewhere)
        wrong, _ = steered(subject, claim, held, subject.rows[:NULL_PAIRS])
        found[claim.name] = int(wrong.sum())
    return found
