"""What a certificate examines: a network with its mechanism, the inputs looked at, and the pairs made of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.columns import every_input, holds
from peabench.domain import ProductDomain
from peabench.errors import PeabenchError
from peabench.interventions import Activations, run_with_cache
from peabench.mechanism import Boolean, CausalModel, Expression, Mechanism, SiteAddress
from peabench.networks import Network

LARGEST_EXHAUSTIVE_DOMAIN = 4096
"""Domains up to this size (12 Boolean inputs), divided by the network's positions, are certified on all pairs."""
SAMPLED_PAIRS = 32_768
"""Independent pairs drawn from larger domains; half as many where the network has several positions."""
MOST_LEVELS = 64
"""Up to so many different values of what a source brings, counterfactuals are looked up in a table."""
CHUNK_ROWS = 8192
CHUNK_POSITIONS = 2048
"""Rows times positions that patched runs of a network with several positions take at a time."""
NULL_PAIRS = 2048
OFF_TRAINING = 0.25
"""Share of the drawn inputs that lie off the training distribution, if it is known."""

PairIndex = tuple[Int[Tensor, " pair"], Int[Tensor, " pair"]]
"""Row numbers of bases and of sources."""


@dataclass(frozen=True)
class Subject:
    """A network under examination. Rows are the whole domain where that is exhaustive, else base rows, then sources."""

    network: Network
    mechanism: Mechanism
    domain: ProductDomain
    activations: Activations
    exhaustive: bool
    generator: torch.Generator
    counterfactuals: dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], "Counterfactuals"] = field(
        default_factory=dict, repr=False
    )
    """Those that were asked for, kept."""
    outputs: dict[int, Tensor] = field(default_factory=dict, repr=False)
    """What nodes write, kept likewise."""

    @property
    def model(self) -> CausalModel:
        """The causal model."""
        return self.mechanism.causal_model

    @property
    def rows(self) -> Int[Tensor, "row column"]:
        """The inputs looked at."""
        return self.activations.inputs

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """Values of the causal model's input variables on all rows."""
        return self.model.read_inputs(self.rows)

    @cached_property
    def values(self) -> dict[str, Tensor]:
        """Values of all variables on all rows."""
        return self.model.run(self.inputs)

    @cached_property
    def truth(self) -> Int[Tensor, " row"]:
        """Output class that the causal model gives each row."""
        return self.values[self.model.output].long()

    def pairs(self, sources: Int[Tensor, " source"] | None = None) -> Iterator[PairIndex]:
        """Pairs of rows in chunks: every base with every source where exhaustive, else the drawn pairs.

        Args:
            sources: rows that stand for all sources, where others would give the very same patched runs.
        """
        count = len(self.rows)
        if not self.exhaustive:
            half = count // 2
            for base in torch.arange(half).split(CHUNK_ROWS):
                yield base, base + half
            return
        sources = torch.arange(count) if sources is None else sources
        bases = torch.arange(count)
        for some in sources.split(max(1, CHUNK_ROWS // count)):
            yield bases.repeat(len(some)), some.repeat_interleave(count)

    def pieces(self, count: int) -> list[slice]:
        """Slices of so many rows, each small enough for what is computed on it to stay in the caches."""
        positions = self.network.graph.n_positions
        size = CHUNK_ROWS if positions == 1 else max(1, CHUNK_POSITIONS // positions)
        return [slice(first, first + size) for first in range(0, count, size)]

    def some_pairs(self, count: int = NULL_PAIRS) -> PairIndex:
        """A few independent pairs, for nulls and for what is recorded and not judged."""
        if not self.exhaustive:
            half = len(self.rows) // 2
            base = torch.randint(0, half, (count,), generator=self.generator)
            return base, base + half
        base, source = torch.randint(0, len(self.rows), (2, count), generator=self.generator)
        return base, source

    @property
    def tolerance(self) -> float:
        """Share of interventions that may contradict the mechanism."""
        return self.mechanism.tolerance or 0.0

    def outputs_when_set(self, names: Sequence[str], edges: Sequence[tuple[str, str]] = ()) -> "Counterfactuals":
        """Outputs of the causal model when variables (or what one child sees of a parent) take source values.

        Args:
            names: variables set together, or, where `edges` are given, their parents.
            edges: (parent, child): only the child sees the parent's other value.
        """
        asked = (tuple(names), tuple(edges))
        if asked not in self.counterfactuals:  # several checks, and several chunks of pairs, ask for the same
            self.counterfactuals[asked] = self._outputs_when_set(names, edges)
        return self.counterfactuals[asked]

    def _outputs_when_set(self, names: Sequence[str], edges: Sequence[tuple[str, str]]) -> "Counterfactuals":
        if any(self.values[name].dim() > 1 for name in names):
            return EvaluatedCounterfactuals(self, tuple(names), tuple(edges))
        stacked = torch.stack([self.values[name].long() for name in names], -1)
        levels, level = stacked.unique(dim=0, return_inverse=True)
        if len(levels) > MOST_LEVELS:
            return EvaluatedCounterfactuals(self, tuple(names), tuple(edges))
        outputs = []
        for row in levels:
            given = {name: row[i].to(self.values[name].dtype).expand(len(self.rows)) for i, name in enumerate(names)}
            if edges:
                run = self.model.run(self.inputs, edge_interventions={e: given[e[0]] for e in edges})
            else:
                run = self.model.run(self.inputs, given)
            outputs.append(run[self.model.output].long())
        return TabulatedCounterfactuals(torch.stack(outputs), level)

    def written(self, node: int) -> Float[Tensor, "row position d_model"]:
        """What a node writes on all rows."""
        if node not in self.outputs:
            self.outputs[node] = self.activations.written([node])[:, 0].transpose(0, 1).contiguous()
        return self.outputs[node]

    @cached_property
    def several_outputs(self) -> bool:
        """Whether the network gives one yes or no for each logit."""
        kind = self.model.kinds[self.model.output]
        return isinstance(kind, Boolean) and kind.length == self.network.config.d_output > 1

    def classes(self, logits: Float[Tensor, "*row position output"]) -> Int[Tensor, "..."]:
        """Predicted class: the sign of a single logit, else the largest logit, at the last position.

        Where the causal model's output is one Boolean for each logit, it is every logit's sign: a further axis.
        """
        last = logits[..., -1, :]
        if self.several_outputs:
            return (last > 0).long()
        return (last[..., 0] > 0).long() if last.shape[-1] == 1 else last.argmax(-1)

    def finish(
        self, stage: int, resid: Float[Tensor, "row position d_model"], network: Network | None = None
    ) -> Int[Tensor, " row"]:
        """Classes when the run goes on from a residual stream before a stage, in another network if one is given."""
        network = network or self.network
        for index in range(stage, len(network.graph.stages)):
            resid = network.stage_sum(index, resid)
        return self.classes(network.unembed(resid[:, -1:]))

    def stage_of(self, site: str) -> int:
        """Index of the first stage that reads the residual stream of a site.

        Raises:
            PeabenchError: the site is not one of the residual stream.
        """
        place = SiteAddress.parse(site).place
        if not isinstance(place, int) or place > self.network.graph.n_blocks:
            raise PeabenchError(f"expected a site of this network's residual stream such as 'resid.1@0', got {site!r}")
        return self.network.graph.first_stage_of_block(place)

    def position_of(self, site: str) -> int | slice:
        """Position of a site; `*` is every position."""
        position = SiteAddress.parse(site).position
        return slice(None) if position == "*" else int(position)


class Counterfactuals(Protocol):
    """What the causal model puts out for a base when some of what it computes takes a source's value."""

    def of(self, pair: PairIndex) -> Int[Tensor, " pair"]:
        """Output class of each pair."""
        ...

    def never_matter(self) -> bool:
        """Whether no source changes any output."""
        ...


@dataclass(frozen=True)
class TabulatedCounterfactuals:
    """Output class of each row for each value that a source may bring."""

    outputs: Int[Tensor, "level row"]
    level: Int[Tensor, " row"]
    """Which value each row brings as a source."""

    def of(self, pair: PairIndex) -> Int[Tensor, " pair"]:
        """Output class of each pair."""
        return self.outputs[self.level[pair[1]], pair[0]]

    def never_matter(self) -> bool:
        """Whether every value gives the same outputs."""
        return bool((self.outputs == self.outputs[0]).all())


@dataclass(frozen=True)
class EvaluatedCounterfactuals:
    """Counterfactuals of variables of many values, such as sequences: the causal model runs for each pair."""

    subject: Subject
    names: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]

    def of(self, pair: PairIndex) -> Int[Tensor, " pair"]:
        """Output class of each pair."""
        model, values = self.subject.model, self.subject.values
        base = {name: value[pair[0]] for name, value in self.subject.inputs.items()}
        given = {name: values[name][pair[1]] for name in self.names}
        if self.edges:
            run = model.run(base, edge_interventions={edge: given[edge[0]] for edge in self.edges})
        else:
            run = model.run(base, given)
        return run[model.output].long()

    def never_matter(self) -> bool:
        """Whether none of a few pairs changes its output."""
        pair = self.subject.some_pairs()
        return bool((self.of(pair) == self.subject.truth[pair[0]]).all())


def examine(
    network: Network,
    mechanism: Mechanism,
    domain: ProductDomain,
    seed: int = 0,
    training: Expression | None = None,
) -> Subject:
    """Run a network on the inputs that its certificate looks at: of a process all sequences that it can write.

    Where they are drawn and a training distribution is known, a quarter of them are inputs off it, however rare these
    are: what shows there alone is looked at too.
    """
    generator = torch.Generator().manual_seed(seed)
    positions = network.graph.n_positions
    if mechanism.beliefs is not None and mechanism.beliefs.process is not None:
        words = mechanism.beliefs.process.words(positions).tokens
        return Subject(network, mechanism, domain, run_with_cache(network, words), True, generator)
    exhaustive = domain.frequency is None and domain.size * positions <= LARGEST_EXHAUSTIVE_DOMAIN
    pairs = SAMPLED_PAIRS if positions == 1 else SAMPLED_PAIRS // 2
    rows = domain.all() if exhaustive else domain.sample(2 * pairs, generator)
    if training is not None and not exhaustive:
        off = torch.cat([some[~holds([training], some, domain)[0]] for some in every_input(domain)])
        chosen = torch.rand(len(rows), generator=generator) < OFF_TRAINING
        rows[chosen] = off[torch.randint(0, len(off), (int(chosen.sum()),), generator=generator)]
    return Subject(network, mechanism, domain, run_with_cache(network, rows), exhaustive, generator)
