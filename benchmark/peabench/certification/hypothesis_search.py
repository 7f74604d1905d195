"""A search of a network for the variables of many causal models at once: whole sites, and trained subspaces (DAS)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from peabench.certification.checks import lower_bound, upper_bound
from peabench.domain import ProductDomain
from peabench.interventions import Activations, interchange, run_with_cache, site_values
from peabench.interventions.das import orthonormal, train_das
from peabench.interventions.sites import locate
from peabench.mechanism import CausalModel
from peabench.networks import Graph, Network

TRAINING_PAIRS = 1024
HELD_OUT_PAIRS = 8192
MOST_OF_A_KIND = 512
"""Held-out pairs whose output should change, and as many whose output should stay, for each variable."""
FEWEST_DIMENSIONS = 2
FIRST_STEPS, LAST_STEPS = 40, 160
"""Of training at every site, and then at a variable's best sites."""
KEPT_SITES = 2
BATCH = 128
LEARNING_RATE = 0.03
MOST_LEVELS = 64
SUBSPACES_AT_A_TIME = 16


@dataclass(frozen=True)
class Found:
    """How well a variable of a causal model can be found in a network, at the site where that does best."""

    variable: str
    site: str
    errors: int
    cases: int
    """Held-out pairs, half of them with an output that should change; all with one where no pair keeps its output, and
    none where no pair changes it."""

    @property
    def rate(self) -> float:
        """Share of the cases that are wrong: .5 for what never changes the output."""
        return self.errors / self.cases if self.cases else 0.0

    @property
    def at_least(self) -> float:
        """95% lower bound of that share; 0 where there are no cases."""
        return lower_bound(self.errors, self.cases)

    @property
    def at_most(self) -> float:
        """95% upper bound of that share; 1 where there are no cases."""
        return upper_bound(self.errors, self.cases, exhaustive=False)


@dataclass(frozen=True)
class _Wanted:
    """What interchange on one variable of one model should do to each pair."""

    model: int
    variable: str
    counterfactual: Int[Tensor, "pair *logit"]
    change: Bool[Tensor, " pair"]
    value: Int[Tensor, " pair"]
    """Number of the variable's value in the base."""


def search(
    network: Network,
    models: Sequence[CausalModel],
    domain: ProductDomain,
    dimension: int,
    *,
    live: Mapping[str, Float[Tensor, "d_model j"]] | None = None,
    several_outputs: bool = False,
    seed: int = 0,
) -> list[list[Found]]:
    """Look for every inner variable of each model at every site of the residual stream.

    A variable is tried by interchange of the whole site and of subspaces trained for it, of so many dimensions (2 at
    least). Training starts from where its values' mean activations differ and from chance, everywhere for 40 steps and
    for 160 more at the two sites that then do best. The training pairs choose; all that is reported was held out.

    What is irrelevant at a site is taken from other inputs, in base and source each: on the domain alone a subspace may
    lean on what nobody reads (docs/decisions/whatever-the-rest-of-the-site-holds.md), and a variable that nobody
    computes, the difference of two that are there, be found.

    Args:
        network: where to look.
        models: causal models of its behaviour.
        domain: of the inputs.
        dimension: of subspaces.
        live: for sites of which it is known, the subspace outside of which nothing matters.
        several_outputs: whether each logit is a yes or no of its own.
        seed: of pairs and starts.

    Returns:
        For each model, how well each of its inner variables was found.
    """
    generator = torch.Generator().manual_seed(seed)
    dimension = min(max(FEWEST_DIMENSIONS, dimension), network.config.d_model)
    pools = [
        [domain.sample(count, generator) for _ in ("base", "source", "beside the base", "beside the source")]
        for count in (TRAINING_PAIRS, HELD_OUT_PAIRS)
    ]
    training, held_out = (_wanted(models, *pool[:2]) for pool in pools)
    asked = [
        tuple(part.counterfactual.numpy().tobytes() for part in parts) for parts in zip(training, held_out, strict=True)
    ]
    distinct = list(dict.fromkeys(asked))  # hypotheses share variables, and what is asked twice is searched once
    once = [asked.index(one) for one in distinct]
    looking, judging = (
        _Looking(network, pool, [wanted[i] for i in once], live or {}, several_outputs)
        for pool, wanted in zip(pools, (training, held_out), strict=True)
    )
    outcomes = {}
    for number, tried in enumerate(_tried(looking, dimension, generator)):
        place = min(tried, key=lambda some: some.wrong)
        (errors,) = judging.errors([number], place.site, place.basis[None])
        outcomes[distinct[number]] = place.site, errors, len(judging.rows[number])
    found: list[list[Found]] = [[] for _ in models]
    for one, wanted in zip(asked, held_out, strict=True):
        found[wanted.model].append(Found(wanted.variable, *outcomes[one]))
    return found


@dataclass(frozen=True)
class _Place:
    """A subspace of a site that was tried for a variable."""

    site: str
    basis: Float[Tensor, "d_model k"]
    wrong: int
    """Of the training pairs that count."""


class _Looking:
    """A network run on pairs, and what is wanted of each pair."""

    def __init__(
        self,
        network: Network,
        inputs: Sequence[Int[Tensor, "pair column"]],
        wanted: Sequence[_Wanted],
        live: Mapping[str, Float[Tensor, "d_model j"]],
        several_outputs: bool,
    ) -> None:
        self.network, self.wanted, self.live, self.several_outputs = network, wanted, live, several_outputs
        with torch.no_grad():
            last = (network.graph.n_positions - 1,)
            self.ran = [run_with_cache(network, some, look=last) for some in inputs]
        self.rows = [_rows(one) for one in wanted]

    def errors(self, numbers: Sequence[int], site: str, bases: Float[Tensor, "subspace d_model k"]) -> list[int]:
        """Errors of interchanges on the pairs that count, for each variable in a subspace of its own or in a common
        one.
        """
        needed = torch.cat([self.rows[number] for number in set(numbers)]).unique()
        if not len(needed):
            return [0] * len(numbers)
        ran = []
        with torch.no_grad():
            for some in bases.split(SUBSPACES_AT_A_TIME):
                logits = interchange(self.network, *self.at(site, needed), site, some)
                ran += [self.classes(each) for each in logits]
        wrong = []
        for place, number in enumerate(numbers):
            rows = self.rows[number]
            got = ran[place if len(bases) > 1 else 0][torch.searchsorted(needed, rows)]
            different = got != self.wanted[number].counterfactual[rows]
            wrong.append(int(different[:, None].flatten(1).any(1).sum()))
        return wrong

    def at(self, site: str, rows: slice | Int[Tensor, " row"] = slice(None)) -> tuple[Activations, Activations]:
        """Base and source of some pairs, what is irrelevant at a site taken from the inputs beside them."""
        base, source, *beside = (some.select(rows) for some in self.ran)
        live, (stage, _, where) = self.live.get(site), locate(self.network, site)
        here = [i for i, p in enumerate(base.needed[stage]) if p in range(self.network.graph.n_positions)[where]]
        if live is None:
            return base, source
        mixed = []
        for ours, other in zip((base, source), beside, strict=True):
            there, stream = other.resid[stage][here], ours.resid[stage].clone()
            stream[here] = there + (stream[here] - there) @ live @ live.T
            mixed.append(replace(ours, resid=(*ours.resid[:stage], stream, *ours.resid[stage + 1 :])))
        return mixed[0], mixed[1]

    def sites(self) -> tuple[str, ...]:
        """Where to look: not where nothing matters, if that is known of a site."""
        known = {site for site, live in self.live.items() if not live.shape[1]}
        return tuple(site for site in sites_of(self.network.graph) if site not in known)

    def classes(self, logits: Float[Tensor, "pair position output"]) -> Int[Tensor, "pair *logit"]:
        """What the network says at the last position."""
        last = logits[:, -1]
        if self.several_outputs:
            return (last > 0).long()
        return (last[:, 0] > 0).long() if last.shape[-1] == 1 else last.argmax(-1)


def sites_of(graph: Graph) -> tuple[str, ...]:
    """The residual stream before each block at every position, and behind the last one at the last position."""
    last = (graph.n_blocks, graph.n_positions - 1)
    places = [(block, at) for block in range(1, graph.n_blocks) for at in range(graph.n_positions)]
    return tuple(f"resid.{block}@{at}" for block, at in (*places, last))


def _tried(looking: _Looking, dimension: int, generator: torch.Generator) -> list[list[_Place]]:
    """For each variable: every whole site, and a trained subspace of each site.

    Not in the embedding, where each column stands for itself: nothing that follows from two columns is there yet, and
    what adds up to it in a threshold behind it is the inputs'.
    """
    everyone = list(range(len(looking.wanted)))
    if not everyone:
        return []
    whole = torch.eye(looking.network.config.d_model)
    sites = looking.sites()
    tried: list[list[_Place]] = [[] for _ in everyone]
    trained: list[list[_Place]] = [[] for _ in everyone]
    for site in sites:
        for number, wrong in enumerate(looking.errors(everyone, site, whole[None])):
            tried[number].append(_Place(site, whole, wrong))
        starts = [_starts(looking, number, site, dimension, generator) for number in everyone]
        for number, place in zip(everyone, _trained(looking, everyone, site, starts, FIRST_STEPS), strict=True):
            trained[number].append(place)
    best = [sorted(some, key=lambda place: place.wrong)[:KEPT_SITES] for some in trained]
    for site in sites:
        here = {number: place.basis[None] for number in everyone for place in best[number] if place.site == site}
        further = _trained(looking, list(here), site, list(here.values()), LAST_STEPS)
        for number, place in zip(here, further, strict=True):
            trained[number].append(place)
    return [one + other for one, other in zip(tried, trained, strict=True)]


def _trained(
    looking: _Looking, numbers: Sequence[int], site: str, starts: Sequence[Float[Tensor, "start d_model k"]], steps: int
) -> list[_Place]:
    """The better of the subspaces that each variable's starts are trained to, all of them at once."""
    if not numbers:
        return []
    owners = [number for number, some in zip(numbers, starts, strict=True) for _ in some]
    wanted = torch.stack([looking.wanted[owner].counterfactual for owner in owners])
    weights = torch.stack([_weights(looking.wanted[owner].change) for owner in owners])

    def loss(logits: Float[Tensor, "seed pair position output"], rows: Int[Tensor, " pair"]) -> Float[Tensor, " seed"]:
        last, target = logits[:, :, -1], wanted[:, rows]
        if looking.several_outputs or last.shape[-1] == 1:
            target = target.reshape(*last.shape).to(last.dtype)
            each = F.binary_cross_entropy_with_logits(last, target, reduction="none").mean(-1)
        else:
            each = F.cross_entropy(last.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
        return (each * weights[:, rows]).mean(1)

    result = train_das(
        looking.network,
        *looking.at(site),
        site,
        wanted[0],
        start=torch.cat(list(starts)),
        steps=steps,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        loss=loss,
    )
    wrong = looking.errors(owners, site, result.bases)
    found = []
    for number in numbers:
        best = min((i for i, owner in enumerate(owners) if owner == number), key=wrong.__getitem__)
        found.append(_Place(site, result.bases[best], wrong[best]))
    return found


def _starts(
    looking: _Looking, number: int, site: str, dimension: int, generator: torch.Generator
) -> Float[Tensor, "2 d_model k"]:
    """Where the mean activations of the variable's values differ most, and directions drawn at random."""
    stream = site_values(looking.network, looking.ran[0], site)[:, 0]
    value = looking.wanted[number].value
    members = F.one_hot(value).to(stream.dtype)
    means = members.T @ (stream - stream.mean(0)) / members.sum(0)[:, None].clamp(min=1)
    drawn = torch.randn(2, stream.shape[1], dimension, generator=generator)
    along = torch.linalg.svd(means, full_matrices=False)[2][:dimension].T
    drawn[0, :, : along.shape[1]] = along + 1e-3 * drawn[0, :, : along.shape[1]]
    return orthonormal(drawn)


def _wanted(
    models: Sequence[CausalModel], base: Int[Tensor, "pair column"], source: Int[Tensor, "pair column"]
) -> list[_Wanted]:
    found = []
    for number, model in enumerate(models):
        inputs = model.read_inputs(base)
        here, there = model.run(inputs), model.run(model.read_inputs(source))
        for variable in model.inner:
            after = model.run(inputs, {variable: there[variable]})[model.output].long()
            change = (after != here[model.output].long()).reshape(len(base), -1).any(1)
            found.append(_Wanted(number, variable, after, change, _numbered(here[variable])))
    return found


def _numbered(values: Shaped[Tensor, "pair ..."]) -> Int[Tensor, " pair"]:
    """Values as numbers below 64: those of rarer ones are shared."""
    by_row = 0 if values.dim() > 1 else None  # a hundred times slower, even where each row has one entry
    numbers: Tensor = values.unique(dim=by_row, return_inverse=True)[1]
    return numbers % MOST_LEVELS


def _rows(wanted: _Wanted) -> Int[Tensor, " row"]:
    """Rows of as many pairs that should change as pairs that should stay, or all that should change where none stays.

    No rows where none should change: any subspace that nobody reads would do.
    """
    change, stay = (kind.nonzero()[:MOST_OF_A_KIND, 0] for kind in (wanted.change, ~wanted.change))
    count = min(len(change), len(stay)) or len(change)
    return torch.cat([change[:count], stay[:count]])


def _weights(change: Bool[Tensor, " pair"]) -> Float[Tensor, " pair"]:
    """Such that pairs that should change weigh as much as those that should stay."""
    share = change.float().mean().clamp(1e-6, 1 - 1e-6)
    return torch.where(change, 0.5 / share, 0.5 / (1 - share))
