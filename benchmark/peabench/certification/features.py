"""Checks of features: moving the activations along their directions does what the causal model says, and only that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.subject import CHUNK_ROWS, NULL_PAIRS, Subject
from peabench.mechanism import Feature
from peabench.mechanism.causal_model import Values
from peabench.mechanism.expressions import variables
from peabench.true_features import directions, feature_sites, features_at, firing

PAIRS = 131_072
"""Drawn for all variables of a site together; at least `FEWEST` and at most `MOST` for each."""
FEWEST, MOST = 1024, 16_384
POOL = 4
"""So many times as many pairs are looked at, and those that should change the output come first, up to half."""
JOINT_SETS = 64
JOINT_ROWS = 512
MOST_VALUES = 64
"""Variables of up to so many values take each of them equally often; others take those of other inputs."""


@dataclass(frozen=True)
class FeatureSite:
    """The used features of one site, and the variables that they fire with."""

    site: str
    features: tuple[Feature, ...]
    directions: Float[Tensor, "feature d_model"]
    variables: tuple[str, ...]

    def permuted(self, generator: torch.Generator) -> "FeatureSite":
        """The same with every direction given to another feature (of one alone: a random direction)."""
        count = len(self.features)
        if count == 1:
            turned = torch.randn(self.directions.shape, generator=generator, dtype=self.directions.dtype)
            turned = turned * self.directions.norm() / turned.norm()
        else:
            order = torch.randperm(count, generator=generator)
            turned = torch.empty_like(self.directions)
            turned[order] = self.directions[order.roll(1)]
        return FeatureSite(self.site, self.features, turned, self.variables)


def feature_places(subject: Subject, *, decoys: bool = False) -> Iterator[FeatureSite]:
    """The features of each site that has used ones, or its decoys."""
    mechanism = subject.mechanism
    for site in feature_sites(mechanism):
        features = features_at(mechanism, site, decoys=decoys)
        names = dict.fromkeys(name for feature in features for name in sorted(variables(feature.activation)))
        width = subject.network.config.d_model
        yield FeatureSite(site, tuple(features), directions(features, mechanism, width), tuple(names))


def features_check(subject: Subject) -> Check | None:
    """Moving each variable's features from how they fire to how they would gives the causal model's counterfactual."""
    parts: dict[str, tuple[int, int]] = {}
    null_errors = null_cases = changed = 0
    for place in feature_places(subject):
        wrong_place = place.permuted(subject.generator)
        count = max(FEWEST, min(MOST, PAIRS // len(place.variables)))
        for name in place.variables:
            base, settings = _pairs(subject, place, [name], count)
            want = _counterfactual(subject, place, base, settings)
            errors = _errors(subject, place, base, settings, want)
            parts[f"{name} at {place.site}"] = errors, len(base)
            changed += int(_differ(want, subject.truth[base]).sum())
            few = slice(0, NULL_PAIRS // 8)
            settings = {key: value[few] for key, value in settings.items()}
            null_errors += _errors(subject, wrong_place, base[few], settings, want[few])
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
            want = _counterfactual(subject, place, base, settings)
            errors += _errors(subject, place, base, settings, want)
            null_errors += _errors(subject, wrong_place, base, settings, want)
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


def _joint(subject: Subject, places: Sequence[FeatureSite], sets: int) -> tuple[int, int]:
    errors = cases = 0
    for number in range(sets):
        place = places[number % len(places)]
        most = max(2, len(place.variables) // 2)
        size = int(torch.randint(2, most + 1, (), generator=subject.generator))
        order = torch.randperm(len(place.variables), generator=subject.generator).tolist()
        names = [place.variables[i] for i in order[:size]]
        base, settings = _pairs(subject, place, names, JOINT_ROWS, of_inputs=True)
        want = _counterfactual(subject, place, base, settings)
        errors += _errors(subject, place, base, settings, want)
        cases += len(base)
    return errors, cases


def _pairs(
    subject: Subject, place: FeatureSite, names: Sequence[str], count: int, *, of_inputs: bool = False
) -> tuple[Int[Tensor, " pair"], Values]:
    """Rows of bases and the values that variables are set to, up to half of them such that the output should change.

    Of many variables together, each has the value of an input of its own, or far more would fire than ever do.
    """
    pool = POOL * count
    base = torch.randint(0, len(subject.rows), (pool,), generator=subject.generator)
    settings = {name: _values(subject, name, pool, of_inputs) for name in names}
    changes = _differ(_counterfactual(subject, place, base, settings), subject.truth[base])
    first, rest = changes.nonzero()[: count // 2, 0], (~changes).nonzero()[:, 0]
    chosen = torch.cat([first, rest])[:count]
    return base[chosen], {name: value[chosen] for name, value in settings.items()}


def _values(subject: Subject, name: str, count: int, of_inputs: bool) -> Tensor:
    """Values of a variable: each that occurs equally often, or those of random rows, also where there are very many."""
    values: Tensor = subject.values[name]
    if values.dim() == 1 and not of_inputs:
        levels: Tensor = values.unique()
        values = levels if len(levels) <= MOST_VALUES else values
    return values[torch.randint(0, len(values), (count,), generator=subject.generator)]


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


def _held(subject: Subject, place: FeatureSite, base: Int[Tensor, " pair"], settings: Values) -> Values:
    """Values of all variables that the site's features fire with: what is set, and the others as in the base."""
    return {name: settings.get(name, subject.values[name][base]) for name in place.variables}


def _counterfactual(
    subject: Subject, place: FeatureSite, base: Int[Tensor, " pair"], settings: Values
) -> Int[Tensor, "pair ..."]:
    """The causal model's output when variables are set at a site that holds others computed from them already."""
    inputs = {name: value[base] for name, value in subject.inputs.items()}
    run = subject.model.run(inputs, _held(subject, place, base, settings))
    return run[subject.model.output].long()


def _errors(
    subject: Subject, place: FeatureSite, base: Int[Tensor, " pair"], settings: Values, want: Int[Tensor, "pair ..."]
) -> int:
    """Wrong outputs when the site's activations are moved by what the features add more, or less, than in the base."""
    stage, at = subject.stage_of(place.site), subject.position_of(place.site)
    stream = subject.activations.stage_inputs[stage]
    before = firing(place.features, subject.mechanism, _held(subject, place, base, {}))
    after = firing(place.features, subject.mechanism, _held(subject, place, base, settings))
    change = ((after - before) @ place.directions).float()
    wrong = 0
    for some in torch.arange(len(base)).split(CHUNK_ROWS):
        moved = stream[base[some]].clone()
        moved[:, at] += change[some] if isinstance(at, int) else change[some][:, None]
        wrong += int(_differ(subject.finish(stage, moved), want[some]).sum())
    return wrong


def _explained(subject: Subject) -> dict[str, float]:
    """Share of the variance of each site's activations that its features, decoys among them, account for."""
    shares = {}
    for place, beside in zip(feature_places(subject), feature_places(subject, decoys=True), strict=True):
        stream = subject.activations.stage_inputs[subject.stage_of(place.site)][:, subject.position_of(place.site)]
        added = sum(
            firing(part.features, subject.mechanism, subject.values) @ part.directions for part in (place, beside)
        )
        left = stream.double() - added
        shares[f"share of the variance at {place.site}"] = round(
            1 - float(left.var(0).sum() / stream.double().var(0).sum()), 5
        )
    return shares


def _differ(got: Int[Tensor, "pair ..."], want: Int[Tensor, "pair ..."]) -> Tensor:
    return (got != want).reshape(len(got), -1).any(1)
