"""The part of a network above a change of its residual stream, run for many changes (hypotheses) at once.

A *row* is one position of the residual stream in runs patched at one place; rows that a change has not reached are
never computed but read from the base run. The tricks, each in one place:

- *live rows* (`Step.rows`): a change at position p reaches p alone until the next attention, then later positions only
  (all, where attention is bidirectional), and after the last attention only those that the metric looks at;
- *one changed key* (`OneKey`): while only position p has changed, attention of every other query is its base attention
  over the other keys, folded once into a weighted value and a log-sum-exp, joined with the new key by one sigmoid;
- *base keys* (`ManyKeys`): unchanged keys are taken from the base run;
- *folded metric* (`Readout`, beside): a linear metric is multiplied into the unembedding, one direction per example.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.interventions.activations import Activations, pick_examples, pick_rows, project_attention
from peabench.networks import Network, Transformer

Rows = tuple[tuple[int, int], ...]
"""(label of the patched place, position) of each live row; rows of single patched positions are labelled by them."""


@dataclass(frozen=True)
class Step:
    """One stage for changed rows: a stage that works on each position by itself."""

    network: Network
    stage: int
    rows: Rows
    """Live rows after the stage."""

    def __call__(
        self, x: Float[Tensor, "row hypothesis batch d_model"]
    ) -> Float[Tensor, "row hypothesis batch d_model"]:
        """The changed residual stream after the stage."""
        return self.network.stage_sum(self.stage, x)

    def select(self, index: slice | Int[Tensor, " example"]) -> Self:
        """The same step for some of the base run's examples."""
        tables = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen: dict[str, Any] = {n: pick_examples(t, index) for n, t in tables.items() if isinstance(t, Tensor)}
        return replace(self, **chosen)


@dataclass(frozen=True)
class OneKey(Step):
    """Attention where each patched run has one changed position p: all queries keep all their other keys."""

    sources: tuple[int, ...]
    """For each row after the stage whose query is unchanged, the row before it that holds its changed key."""
    own: tuple[int, ...]
    """Rows before the stage whose own query is looked at."""
    own_positions: tuple[int, ...]
    order: tuple[int, ...]
    """Where each entry of `rows` is found after `sources`, then `own`."""
    resid: Float[Tensor, "row batch d_model"]
    """Base residual stream of the rows with unchanged queries."""
    query: Float[Tensor, "row batch head e"]
    rest: Float[Tensor, "row batch head e"]
    """Their attention's value over the keys that did not change, and its log-sum-exp."""
    log_weight: Float[Tensor, "row batch head"]
    keys: Float[Tensor, "key batch head e"]
    values: Float[Tensor, "key batch head e"]
    """Base keys and values for the queries that have changed."""

    def __call__(
        self, x: Float[Tensor, "row hypothesis batch d_model"]
    ) -> Float[Tensor, "row hypothesis batch d_model"]:
        """The changed residual stream after the stage."""
        network = self.network
        assert isinstance(network, Transformer)
        keys, values = network.project(self.stage, x, slice(1, 3)).unbind(-3)
        parts = []
        if self.sources:
            kept = (self.query[:, None], self.rest[:, None], self.log_weight[:, None])
            mixed = join(*kept, pick_rows(keys, self.sources), pick_rows(values, self.sources))
            parts.append(network.write(self.stage, mixed).add_(self.resid[:, None]))
        if self.own:
            own = pick_rows(x, self.own)
            query = network.project(self.stage, own, slice(0, 1))[..., 0, :, :]
            other = others(network, len(self.keys), self.own_positions, self.own_positions).to(x.device)
            rest, log_weight = fold(query, self.keys, self.values, other[..., None].expand(-1, -1, x.shape[1]))
            mixed = join(query, rest, log_weight, pick_rows(keys, self.own), pick_rows(values, self.own))
            parts.append(network.write(self.stage, mixed).add_(own))
        return pick_rows(torch.cat(parts) if len(parts) > 1 else parts[0], self.order)


def others(
    network: Transformer, length: int, changed: Sequence[int], queries: Sequence[int]
) -> Bool[Tensor, "key row"]:
    """For rows with a changed position and a query's position: the keys that the query sees beside the changed one."""
    key = torch.arange(length)[:, None]
    seen = key != torch.tensor(changed, dtype=torch.long)
    return seen & (key <= torch.tensor(queries, dtype=torch.long)) if network.config.causal else seen


def fold(
    query: Float[Tensor, "*row batch head e"],
    keys: Float[Tensor, "key batch head e"],
    values: Float[Tensor, "key batch head e"],
    seen: Bool[Tensor, "key *row"],
) -> tuple[Float[Tensor, "*row batch head e"], Float[Tensor, "*row batch head"]]:
    """Attention kept as (mixed value, log-sum-exp of scores); 0 and -inf for a query that sees no key."""
    rows = query.shape[:-3]
    # bmm of copies: it takes strided batches one matrix at a time
    scores = keys.permute(1, 2, 0, 3).contiguous() @ query.flatten(0, -4).permute(1, 2, 3, 0).contiguous()
    scores = (scores / math.sqrt(query.shape[-1])).masked_fill(~seen.flatten(1), -math.inf)
    top = scores.amax(2, keepdim=True).clamp(min=torch.finfo(scores.dtype).min)
    weights = (scores - top).exp()  # a short axis that is not the last is several times faster here than `softmax`
    total = weights.sum(2, keepdim=True)
    mixed = (weights / total.clamp(min=torch.finfo(scores.dtype).tiny)).transpose(2, 3)
    mixed = mixed @ values.permute(1, 2, 0, 3).contiguous()
    log_weight = (top + total.log())[:, :, 0].movedim(2, 0)
    return mixed.movedim(2, 0).unflatten(0, rows), log_weight.unflatten(0, rows)


def join(
    query: Float[Tensor, "*row head e"],
    rest: Float[Tensor, "*row head e"],
    log_weight: Float[Tensor, "*row head"],
    key: Float[Tensor, "*row head e"],
    value: Float[Tensor, "*row head e"],
) -> Float[Tensor, "*row head e"]:
    """Folded attention with one more key."""
    score = (query * key).sum(-1) / math.sqrt(query.shape[-1])
    return torch.lerp(rest, value, torch.sigmoid(score - log_weight)[..., None])


@dataclass(frozen=True)
class ManyKeys(Step):
    """Attention where any positions have changed."""

    groups: tuple[tuple[slice, tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...]
    """For each patched run: its rows; those of them whose query is looked at, and their positions; unchanged keys."""
    keys: Float[Tensor, "key batch head e"]
    values: Float[Tensor, "key batch head e"]
    """Base keys and values."""

    def __call__(
        self, x: Float[Tensor, "row hypothesis batch d_model"]
    ) -> Float[Tensor, "row hypothesis batch d_model"]:
        """The changed residual stream after the stage."""
        network = self.network
        assert isinstance(network, Transformer)
        live = [row for _, rows, _, _ in self.groups for row in rows]
        query, key, value = project_attention(network, self.stage, x, live)
        shape = (-1, x.shape[1], -1, -1, -1)
        mixed, done = [], 0
        for own, rows, positions, kept in self.groups:
            keys, values = key[own], value[own]
            if kept:
                keys = torch.cat([pick_rows(self.keys, kept)[:, None].expand(shape), keys])
                values = torch.cat([pick_rows(self.values, kept)[:, None].expand(shape), values])
            mixed.append(network.attend(query[done : done + len(rows)], keys, values, positions))
            done += len(rows)
        return network.write(self.stage, torch.cat(mixed) if len(mixed) > 1 else mixed[0]).add_(pick_rows(x, live))


class Replay:
    """Runs changed rows up to what the output reads; steps are made when first needed and kept."""

    def __init__(self, base: Activations) -> None:
        self.base = base
        self.steps: dict[tuple[int, Rows, bool], Step] = {}

    def climb(
        self, stage: int, rows: Rows, x: Float[Tensor, "row hypothesis batch d_model"]
    ) -> tuple[Rows, Float[Tensor, "row hypothesis batch d_model"]]:
        """From before a stage to what the output reads: the rows that are looked at there."""
        for step in self.path(stage, rows):
            rows, x = step.rows, (step(x) if step.rows else x[:0])
        return rows, x

    def path(self, stage: int, rows: Rows) -> list[Step]:
        """The steps from before a stage to what the output reads; they end early where no row is left."""
        steps, alone = [], len({label for label, _ in rows}) == len(rows)
        for index in range(stage, len(self.base.network.graph.stages)):
            if not rows:
                break
            key = (index, rows, alone)
            if key not in self.steps:
                self.steps[key] = self._step(index, rows, alone)
            steps.append(self.steps[key])
            rows, alone = steps[-1].rows, alone and not isinstance(steps[-1], OneKey)
        return steps

    def _step(self, stage: int, rows: Rows, alone: bool) -> Step:
        """The step that takes these rows through a stage; `alone` where each run has changed at one position only."""
        if self.base.network.graph.stages[stage].kind != "attention":
            return Step(self.base.network, stage, rows)
        return self._one_key(stage, rows) if alone else self._many_keys(stage, rows)

    def _one_key(self, stage: int, rows: Rows) -> OneKey:
        base, network = self.base, self.base.network
        assert isinstance(network, Transformer)
        after, causal = base.needed[stage + 1], network.config.causal
        patched = [position for _, position in rows]
        pairs = [
            (row, query)
            for row, position in enumerate(patched)
            for query in after
            if query != position and (query > position or not causal)
        ]
        own = [row for row, position in enumerate(patched) if position in after]
        queries, keys, values = base.queries[stage], base.keys[stage], base.values[stage]
        assert queries is not None
        assert keys is not None
        assert values is not None
        query = pick_rows(queries, [after.index(query) for _, query in pairs])
        seen = others(network, len(keys), [patched[row] for row, _ in pairs], [query for _, query in pairs])
        rest, log_weight = fold(query, keys, values, seen.to(keys.device))
        found = [(rows[row][0], query) for row, query in pairs] + [rows[row] for row in own]
        order = sorted(range(len(found)), key=lambda i: [*pairs, *((row, patched[row]) for row in own)][i])
        return OneKey(
            network,
            stage,
            tuple(found[i] for i in order),
            sources=tuple(row for row, _ in pairs),
            own=tuple(own),
            own_positions=tuple(patched[row] for row in own),
            order=tuple(order),
            resid=base.at(stage, [query for _, query in pairs]),
            query=query,
            rest=rest,
            log_weight=log_weight,
            keys=keys if own else keys[:0],
            values=values if own else values[:0],
        )

    def _many_keys(self, stage: int, rows: Rows) -> ManyKeys:
        base, network = self.base, self.base.network
        keys, values = base.keys[stage], base.values[stage]
        assert keys is not None
        assert values is not None
        groups = []
        for label in dict.fromkeys(label for label, _ in rows):
            here = [row for row, (of, _) in enumerate(rows) if of == label]
            changed = [rows[row][1] for row in here]
            live = tuple(row for row in here if rows[row][1] in base.needed[stage + 1])
            last = min(changed) if network.config.causal else len(keys)
            kept = tuple(position for position in range(last) if position not in changed)
            groups.append((slice(here[0], here[-1] + 1), live, tuple(rows[row][1] for row in live), kept))
        after = tuple(rows[row] for _, live, _, _ in groups for row in live)
        return ManyKeys(network, stage, after, tuple(groups), keys, values)
