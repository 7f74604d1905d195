"""Checks of features: moving the activations along their directions does what the causal model says, and only that."""

from collections.abc import Sequence
from math import ceil

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.certification.behaviour import DECODABLE
from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.moves import (
    FeatureSite,
    differ,
    feature_places,
    move_errors,
    move_pairs,
    set_outputs,
    stream_at,
    wrong_outputs,
)
from peabench.certification.subject import NULL_PAIRS, Subject
from peabench.mechanism.causal_model import Values
from peabench.mechanism.expressions import variables
from peabench.true_features import DECOY, exceptions, firing

PAIRS = 131_072
"""Drawn for all variables of a site together; at least `FEWEST` and at most `MOST` for each."""
FEWEST, MOST = 1024, 16_384
AT_THE_TOLERANCE = 12
"""Errors that so many pairs of a variable hold at the tolerance, at least: of fewer, two errors could be too many."""
JOINT_SETS = 64
JOINT_ROWS = 512


def features_check(subject: Subject) -> Check | None:
    """Moving each variable's features from how they fire to how they would gives the causal model's counterfactual."""
    parts: dict[str, tuple[int, int]] = {}
    null_errors = null_cases = changed = 0
    for place in feature_places(subject):
        wrong_place = place.permuted(subject.generator)
        count = pairs_each(len(place.variables), subject.tolerance)
        for name in place.variables:
            base, settings = move_pairs(subject, place, [name], count)
            want = set_outputs(subject, place, base, settings)
            errors = move_errors(subject, place, base, settings, want)
            parts[f"{name} at {place.site}"] = errors, len(base)
            changed += int(differ(want, subject.truth[base]).sum())
            few = slice(0, NULL_PAIRS // 8)
            settings = {key: value[few] for key, value in settings.items()}
            null_errors += move_errors(subject, wrong_place, base[few], settings, want[few])
            null_cases += len(base[few])
    if not parts:
        return None
    errors, cases = totals(parts)
    return judged(
        "features",
        "adding each feature's direction as much as its firing changes, when one variable takes another value, gives "
        "the causal model's counterfactual",
        errors,
        cases,
        exhaustive=False,
        null=NullCheck(description="each direction given to another feature", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
        parts=parts,
        recorded={"share of pairs whose output should change": round(changed / cases, 5), **_explained(subject)},
    )


def pairs_each(variables: int, tolerance: float) -> int:
    """Pairs that are drawn for each of so many variables.

    >>> pairs_each(32, 0.003), pairs_each(64, 0.003), pairs_each(64, 0.0)
    (4096, 4000, 2048)
    """
    enough = ceil(AT_THE_TOLERANCE / tolerance) if tolerance else 0
    return max(FEWEST, min(MOST, PAIRS // variables), enough)


def joint_features_check(subject: Subject) -> Check | None:
    """Random sets of variables, each from a source of its own, moved together."""
    places = [place for place in feature_places(subject) if len(place.variables) > 1]
    if not places:
        return None
    errors, cases = _joint(subject, places, JOINT_SETS)
    wrong, tried = _joint(subject, [place.permuted(subject.generator) for place in places], JOINT_SETS // 8)
    return judged(
        "joint features",
        "the features of random sets of variables, each variable from its own source, moved together give the "
        "counterfactual",
        errors,
        cases,
        exhaustive=False,
        null=NullCheck(description="each direction given to another feature", cases=tried, errors=wrong),
        bar=subject.tolerance,
    )


def removed_features_check(subject: Subject) -> Check | None:
    """Taking away everything that a variable's features add is the causal model with none of them firing."""
    errors = cases = null_errors = null_cases = 0
    for place in feature_places(subject):
        wrong_place = place.permuted(subject.generator)
        for name in place.variables:
            found = _removals(subject, place, name)
            if found is None:
                continue
            base, settings = found
            want = set_outputs(subject, place, base, settings)
            errors += move_errors(subject, place, base, settings, want)
            null_errors += move_errors(subject, wrong_place, base, settings, want)
            cases += len(base)
            null_cases += len(base)
    if not cases:
        return None
    return judged(
        "features removed",
        "where a variable's features fire, taking away what they add gives the causal model's output without them",
        errors,
        cases,
        exhaustive=False,
        null=NullCheck(description="each direction given to another feature", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
    )


def unused_features_check(subject: Subject) -> Check | None:
    """Decoys: moving the activations along them changes nothing, though a linear read-out tells when they fire."""
    errors = cases = null_errors = null_cases = 0
    recorded: dict[str, float] = {}
    for place, decoys in zip(feature_places(subject), feature_places(subject, decoys=True), strict=True):
        named = [i for i, feature in enumerate(decoys.features) if feature.name.startswith(DECOY)]
        for i in named:
            base, source = torch.randint(0, len(subject.rows), (2, MOST), generator=subject.generator)
            errors += _changed(subject, decoys, [i], base, source)
            cases += MOST
            told = _decoded(subject, decoys, i)
            recorded[f"{decoys.features[i].name} decoded (AUROC)"] = round(told, 5)
        if named:
            base, source = torch.randint(0, len(subject.rows), (2, NULL_PAIRS), generator=subject.generator)
            null_errors += _changed(subject, place, list(range(len(place.features))), base, source)
            null_cases += NULL_PAIRS
    if not cases:
        return None
    return judged(
        "decoy features",
        "adding a decoy's direction as much as its firing changes does nothing, though a linear read-out decodes it "
        f"(AUROC {DECODABLE} or more)",
        cases if min(recorded.values()) < DECODABLE else errors,
        cases,
        exhaustive=False,
        null=NullCheck(description="all features that are used, at that site", cases=null_cases, errors=null_errors),
        bar=subject.tolerance,
        recorded=recorded,
    )


def _changed(
    subject: Subject, place: FeatureSite, some: list[int], base: Int[Tensor, " pair"], source: Int[Tensor, " pair"]
) -> int:
    """Outputs other than the base's once some features are moved from how they fire there to how in the source."""
    fired = firing([place.features[i] for i in some], subject.mechanism, subject.values)
    change = (fired[source] - fired[base]) @ place.directions[some]
    return wrong_outputs(subject, place, base, change, subject.truth[base])


def _decoded(subject: Subject, place: FeatureSite, feature: int) -> float:
    """AUROC of whether a feature fires, by a ridge read-out that is fitted on half of the rows, on the other half."""
    from sklearn.linear_model import Ridge  # takes a second to import
    from sklearn.metrics import roc_auc_score

    stream = stream_at(subject, place.site)
    fires = exceptions(firing([place.features[feature]], subject.mechanism, subject.values))[:, 0].numpy()
    half = torch.arange(len(stream)) % 2 == 0
    if len(set(fires[half].tolist())) < 2 or len(set(fires[~half].tolist())) < 2:
        return 0.0
    told = Ridge().fit(stream[half].double().numpy(), fires[half]).predict(stream[~half].double().numpy())
    return float(roc_auc_score(fires[~half], told))


def _joint(subject: Subject, places: Sequence[FeatureSite], sets: int) -> tuple[int, int]:
    errors = cases = 0
    for number in range(sets):
        place = places[number % len(places)]
        most = max(2, len(place.variables) // 2)
        size = int(torch.randint(2, most + 1, (), generator=subject.generator))
        order = torch.randperm(len(place.variables), generator=subject.generator).tolist()
        names = [place.variables[i] for i in order[:size]]
        base, settings = move_pairs(subject, place, names, JOINT_ROWS, of_inputs=True)
        want = set_outputs(subject, place, base, settings)
        errors += move_errors(subject, place, base, settings, want)
        cases += len(base)
    return errors, cases


def _removals(subject: Subject, place: FeatureSite, name: str) -> tuple[Int[Tensor, " pair"], Values] | None:
    """Rows on which a variable's features fire, and a value at which none of them does; None where there is none."""
    mine = [i for i, feature in enumerate(place.features) if variables(feature.activation) == {name}]
    values = subject.values[name]
    if not mine or values.dim() > 1:
        return None
    strength = firing([place.features[i] for i in mine], subject.mechanism, {name: values})
    silent = (strength == 0).all(1)
    rows = (~silent).nonzero()[:, 0]
    if not bool(silent.any()) or not len(rows):
        return None
    base = rows[torch.randint(0, len(rows), (NULL_PAIRS // 2,), generator=subject.generator)]
    return base, {name: values[silent.nonzero()[0, 0]].expand(len(base))}


def _explained(subject: Subject) -> dict[str, float]:
    """How much of each site's activations its features account for, and how well each direction is what they hold.

    The first is a share of the variance, decoys' included. The second is, of the worst feature, the cosine between its
    direction and the one along which what the others leave of the activations moves with its firing.
    """
    found = {}
    for place, beside in zip(feature_places(subject), feature_places(subject, decoys=True), strict=True):
        stream = stream_at(subject, place.site).double()
        left = stream - stream.mean(0)
        for part in (place, beside):
            if part.features:
                fired = firing(part.features, subject.mechanism, subject.values)
                left = left - (fired - fired.mean(0)) @ part.directions
        fired = firing(place.features, subject.mechanism, subject.values)
        fired = fired - fired.mean(0)
        held = place.directions + fired.T @ left / fired.square().sum(0).clamp(min=1e-9)[:, None]
        cosine = torch.nn.functional.cosine_similarity(held, place.directions, dim=1)
        share = 1 - float(left.square().sum() / (stream - stream.mean(0)).square().sum())
        found[f"share of the variance at {place.site}"] = round(share, 5)
        found[f"least cosine with what is held at {place.site}"] = round(float(cosine.min()), 5)
    return found
