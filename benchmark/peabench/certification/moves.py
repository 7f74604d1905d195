"""Moving the activations at a site by what features add: pairs of inputs, what the causal model says, what happens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.certification.subject import CHUNK_ROWS, Subject
from peabench.errors import PeabenchError
from peabench.interventions import site_values
from peabench.interventions.sites import locate
from peabench.mechanism import Feature, SiteAddress
from peabench.mechanism.causal_model import Values
from peabench.mechanism.expressions import variables
from peabench.true_features import directions, feature_sites, features_at, firing

POOL = 4
"""So many times as many pairs are looked at, and those that should change the output come first, up to half."""
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
    """The features of each site that has used ones, or its decoys.

    Raises:
        PeabenchError: a site is of every position.
    """
    mechanism = subject.mechanism
    for site in feature_sites(mechanism):
        if SiteAddress.parse(site).position == "*":
            raise PeabenchError(f"expected features at one position, got {site!r}; name the position")
        features = features_at(mechanism, site, decoys=decoys)
        names = dict.fromkeys(name for feature in features for name in sorted(variables(feature.activation)))
        yield FeatureSite(site, tuple(features), directions(features, mechanism), tuple(names))


def stream_at(subject: Subject, site: str) -> Float[Tensor, "row d_model"]:
    """The activations at a site on all rows."""
    stream: Tensor = site_values(subject.network, subject.activations, site)[:, 0]
    return stream


def move_pairs(
    subject: Subject, place: FeatureSite, names: Sequence[str], count: int, *, of_inputs: bool = False
) -> tuple[Int[Tensor, " pair"], Values]:
    """Rows of bases and the values that variables are set to, up to half of them such that the output should change.

    Of many variables together, each has the value of an input of its own, or far more would fire than ever do.
    """
    pool = POOL * count
    base = torch.randint(0, len(subject.rows), (pool,), generator=subject.generator)
    settings = {name: _values(subject, name, pool, of_inputs) for name in names}
    changes = differ(set_outputs(subject, place, base, settings), subject.truth[base])
    first, rest = changes.nonzero()[: count // 2, 0], (~changes).nonzero()[:, 0]
    chosen = torch.cat([first, rest])[:count]
    return base[chosen], {name: value[chosen] for name, value in settings.items()}


def _values(subject: Subject, name: str, count: int, of_inputs: bool) -> Tensor:
    """Values of a variable: each that occurs equally often, or those of random rows, also where there are very many."""
    values = subject.values[name]
    if values.dim() == 1 and not of_inputs:
        levels = values.unique()
        if len(levels) <= MOST_VALUES:
            values = levels
    return values[torch.randint(0, len(values), (count,), generator=subject.generator)]


def held(subject: Subject, place: FeatureSite, base: Int[Tensor, " pair"], settings: Values) -> Values:
    """Values of all variables that the site's features fire with: what is set, and the others as in the base."""
    return {name: settings.get(name, subject.values[name][base]) for name in place.variables}


def set_outputs(
    subject: Subject, place: FeatureSite, base: Int[Tensor, " pair"], settings: Values
) -> Int[Tensor, "pair ..."]:
    """The causal model's output when variables are set at a site that holds others computed from them already."""
    inputs = {name: value[base] for name, value in subject.inputs.items()}
    run = subject.model.run(inputs, held(subject, place, base, settings))
    return run[subject.model.output].long()


def move_errors(
    subject: Subject, place: FeatureSite, base: Int[Tensor, " pair"], settings: Values, want: Int[Tensor, "pair ..."]
) -> int:
    """Wrong outputs when the site's activations are moved by what the features add more, or less, than in the base."""
    before = firing(place.features, subject.mechanism, held(subject, place, base, {}))
    after = firing(place.features, subject.mechanism, held(subject, place, base, settings))
    return wrong_outputs(subject, place, base, (after - before) @ place.directions, want)


def wrong_outputs(
    subject: Subject,
    place: FeatureSite,
    base: Int[Tensor, " pair"],
    change: Float[Tensor, "pair d_model"],
    want: Int[Tensor, "pair ..."],
) -> int:
    """How many outputs are not the wanted ones when the site's activations are changed by so much."""
    stage, _, positions = locate(subject.network, place.site)
    stream = subject.activations.stage_inputs[stage]
    wrong = 0
    for some in torch.arange(len(base)).split(CHUNK_ROWS):
        moved = stream[base[some]].clone()
        moved[:, positions] += change[some].float()[:, None]
        wrong += int(differ(subject.finish(stage, moved), want[some]).sum())
    return wrong


def differ(got: Int[Tensor, "pair ..."], want: Int[Tensor, "pair ..."]) -> Bool[Tensor, " pair"]:
    """Which of the outputs, each a class or several yes and no, are not the same."""
    found: Tensor = (got != want).reshape(len(got), -1).any(1)
    return found
