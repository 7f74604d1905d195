"""The part of a network above a change of its residual stream, run for many changes (hypotheses) at once.

A *row* is one position of the residual stream in runs patched at one place; rows that a change has not reached are
never computed but read from the base run. The tricks, each in one place:

- *live rows* (`Step.rows`): a change at position p reaches p alone until the next attention, then later positions only
  (all, where attention is bidirectional), and after the last attention only those that the metric looks at;
- *one changed key* (`OneKey`): while only position p has changed, attention of every other query is its base attention
  over the other keys, folded once into a weighted value and a log-sum-exp, joined with the new key by one sigmoid;
- *base keys* (`ManyKeys`): later on, unchanged keys are still taken from the base run;
- *folded metric* (`Readout`, beside): a linear metric is multiplied into the unembedding, one direction per example.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.chunks import in_cache
from peabench.interventions.prefix import Prefix, pick_rows
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
        return in_cache(lambda part: self.network.stage_sum(self.stage, part), x)

    def select(self, index: Int[Tensor, " example"]) -> Self:
        """The same step for some of the base run's examples."""
        tables = {f.name: getattr(self, f.name) for f in fields(self)}
        chosen: dict[str, Any] = {name: t.index_select(1, index) for name, t in tables.items() if isinstance(t, Tensor)}
        return replace(self, **chosen)


@dataclass(frozen=True)
class OneKey(Step):
    """Attention where each patched run has one changed position p: queries elsewhere keep all their other keys."""

    sources: tuple[int, ...]
    """For each row after the stage whose query is unchanged, the row before it that holds its changed key."""
    own: tuple[int, ...]
    """Rows before the stage whose own query is looked at."""
    order: tuple[int, ...]
    """Where each entry of `rows` is found after `sources`, then `own`."""
    resid: Float[Tensor, "row batch d_model"]
    """Base residual stream of the rows with unchanged queries."""
    query: Float[Tensor, "row batch head e"]
    rest: Float[Tensor, "row batch head e"]
    """Their attention's value over the keys that did not change, and its log-sum-exp."""
    log_weight: Float[Tensor, "row batch head"]
    keys: Float[Tensor, "key batch head e"]
    """Base keys and values for the queries that changed."""
    values: Float[Tensor, "key batch head e"]
    own_values: Float[Tensor, "row batch head e"]
    """Base value of each such row's own position."""
    seen: tuple[tuple[float, ...], ...]
    """Of each key, for each such row: 0 if it is seen, -inf if not, 1 if it is the one that changed."""

    def __call__(
        self, x: Float[Tensor, "row hypothesis batch d_model"]
    ) -> Float[Tensor, "row hypothesis batch d_model"]:
        """The changed residual stream after the stage."""
        network = self.network
        assert isinstance(network, Transformer)
        scale = 1 / math.sqrt(network.config.d_head)
        key, value = network.project(self.stage, x, slice(1, 3)).unbind(-3)
        parts = []
        if self.sources:
            new_key, new_value = pick_rows(key, self.sources), pick_rows(value, self.sources)
            score = (self.query[:, None] * new_key).sum(-1) * scale
            weight = torch.sigmoid(score - self.log_weight[:, None])
            mixed = torch.lerp(self.rest[:, None], new_value, weight[..., None])
            parts.append(self.resid[:, None] + network.write(self.stage, mixed))
        if self.own:
            own = pick_rows(x, self.own)
            query = network.project(self.stage, own, slice(0, 1))[..., 0, :, :]
            scores = (self.keys[:, None, None] * query).sum(-1)
            score = (query * pick_rows(key, self.own)).sum(-1)
            new = torch.tensor(self.seen, device=x.device).T[..., None, None, None]
            weights = (torch.where(new == 1, score, scores) * scale + new.clamp(max=0)).softmax(0)
            mixed = (weights[..., None] * self.values[:, None, None]).sum(0)
            own_weight = (weights * (new == 1)).sum(0)[..., None]
            mixed = mixed + own_weight * (pick_rows(value, self.own) - self.own_values[:, None])
            parts.append(own + network.write(self.stage, mixed))
        return pick_rows(torch.cat(parts) if len(parts) > 1 else parts[0], self.order)


@dataclass(frozen=True)
class ManyKeys(Step):
    """Attention where several positions have changed: the last ones of each patched run (or all of them)."""

    groups: tuple[tuple[int, int, tuple[int, ...], tuple[int, ...]], ...]
    """For each patched run: its first row, the row after its last, rows whose query is looked at, their positions."""
    keys: Float[Tensor, "key batch head e"]
    values: Float[Tensor, "key batch head e"]
    """Base keys and values."""

    def __call__(
        self, x: Float[Tensor, "row hypothesis batch d_model"]
    ) -> Float[Tensor, "row hypothesis batch d_model"]:
        """The changed residual stream after the stage."""
        network = self.network
        assert isinstance(network, Transformer)
        live = [row for _, _, rows, _ in self.groups for row in rows]
        if len(live) == x.shape[0]:
            query, key, value = network.project(self.stage, x).unbind(-3)
        else:
            key, value = network.project(self.stage, x, slice(1, 3)).unbind(-3)
            x = pick_rows(x, live)
            query = network.project(self.stage, x, slice(0, 1))[..., 0, :, :]
        mixed, done = [], 0
        for first, last, rows, positions in self.groups:
            unchanged = self.keys.shape[0] - (last - first)
            own_key, own_value = key[first:last], value[first:last]
            if unchanged:
                shape = (-1, x.shape[1], -1, -1, -1)
                own_key = torch.cat([self.keys[:unchanged, None].expand(shape), own_key])
                own_value = torch.cat([self.values[:unchanged, None].expand(shape), own_value])
            mixed.append(network.attend(query[done : done + len(rows)], own_key, own_value, positions))
            done += len(rows)
        return x + network.write(self.stage, torch.cat(mixed) if len(mixed) > 1 else mixed[0])


def fold(
    scores: Float[Tensor, "key row batch head"], values: Float[Tensor, "key batch head e"]
) -> tuple[Float[Tensor, "row batch head e"], Float[Tensor, "row batch head"]]:
    """Softmax over a leading axis of keys, kept as (mixed value, log-sum-exp of scores); 0 and -inf without any key."""
    top = scores.amax(0).clamp(min=torch.finfo(scores.dtype).min)
    weights = (scores - top).exp()  # a short leading axis is several times faster here than `softmax`
    total = weights.sum(0)
    # bmm of copies: it takes strided batches one matrix at a time
    mixed = weights.permute(2, 3, 1, 0).contiguous() @ values.permute(1, 2, 0, 3).contiguous()
    mixed = mixed.permute(2, 0, 1, 3)
    return mixed / total.clamp(min=torch.finfo(scores.dtype).tiny)[..., None], top + total.log()


class Replay:
    """Runs changed rows up to what the output reads; steps are made when first needed and kept."""

    def __init__(self, prefix: Prefix) -> None:
        self.prefix = prefix
        self.steps: dict[tuple[int, Rows, bool], Step] = {}

    def step(self, stage: int, rows: Rows, single: bool) -> Step:
        """The step that takes these rows through a stage; `single` where no attention has seen the change yet."""
        key = (stage, rows, single)
        if key not in self.steps:
            if self.prefix.network.graph.stages[stage].kind != "attention":
                self.steps[key] = Step(self.prefix.network, stage, rows)
            else:
                self.steps[key] = self._one_key(stage, rows) if single else self._many_keys(stage, rows)
        return self.steps[key]

    def path(self, stage: int, rows: Rows, single: bool) -> list[Step]:
        """The steps from before a stage to what the output reads; they end early where no row is left."""
        steps = []
        for index in range(stage, len(self.prefix.network.graph.stages)):
            if not rows:
                break
            steps.append(self.step(index, rows, single))
            rows, single = steps[-1].rows, single and not isinstance(steps[-1], OneKey | ManyKeys)
        return steps

    def climb(
        self, stage: int, rows: Rows, single: bool, x: Float[Tensor, "row hypothesis batch d_model"]
    ) -> tuple[Rows, Float[Tensor, "row hypothesis batch d_model"]]:
        """From before a stage to what the output reads: the rows that are looked at there."""
        for step in self.path(stage, rows, single):
            rows, x = step.rows, (step(x) if step.rows else x[:0])
        return rows, x

    def _one_key(self, stage: int, rows: Rows) -> Step:
        prefix, network = self.prefix, self.prefix.network
        assert isinstance(network, Transformer)
        after, causal = prefix.needed[stage + 1], network.config.causal
        patched = [position for _, position in rows]
        pairs = [
            (row, query)
            for row, position in enumerate(patched)
            for query in after
            if query != position and (query > position or not causal)
        ]
        own = [row for row, position in enumerate(patched) if position in after]
        all_queries, keys, values = prefix.queries[stage], prefix.keys[stage], prefix.values[stage]
        assert all_queries is not None
        assert keys is not None
        assert values is not None

        def seen_by(query: int, changed: int, mark: float) -> tuple[float, ...]:
            late = [-math.inf if causal and key > query else 0.0 for key in range(keys.shape[0])]
            return (*late[:changed], mark, *late[changed + 1 :])

        where = [after.index(query) for _, query in pairs]
        query = pick_rows(all_queries, where)
        seen = torch.tensor([seen_by(q, patched[row], -math.inf) for row, q in pairs]).reshape(
            len(pairs), keys.shape[0]
        )
        base = keys.permute(1, 2, 0, 3).contiguous() @ all_queries.permute(1, 2, 3, 0).contiguous()
        base = base.permute(2, 3, 0, 1) / math.sqrt(network.config.d_head)
        rest, log_weight = fold(base[:, where] + seen.T.to(base)[..., None, None], values)
        unsorted = pairs + [(row, patched[row]) for row in own]
        order = sorted(range(len(unsorted)), key=unsorted.__getitem__)
        return OneKey(
            network,
            stage,
            tuple((rows[unsorted[i][0]][0], unsorted[i][1]) for i in order),
            sources=tuple(row for row, _ in pairs),
            own=tuple(own),
            order=tuple(order),
            resid=prefix.at(stage, [q for _, q in pairs]),
            query=query,
            rest=rest,
            log_weight=log_weight,
            keys=keys if own else keys[:0],
            values=values if own else values[:0],
            own_values=pick_rows(values, [patched[row] for row in own]),
            seen=tuple(seen_by(patched[row], patched[row], 1.0) for row in own),
        )

    def _many_keys(self, stage: int, rows: Rows) -> Step:
        keys, values = self.prefix.keys[stage], self.prefix.values[stage]
        assert keys is not None
        assert values is not None
        after = self.prefix.needed[stage + 1]
        groups = []
        for label in dict.fromkeys(label for label, _ in rows):
            here = [row for row, (of, _) in enumerate(rows) if of == label]
            live = tuple(row for row in here if rows[row][1] in after)
            groups.append((here[0], here[-1] + 1, live, tuple(rows[row][1] for row in live)))
        kept = tuple(rows[row] for _, _, live, _ in groups for row in live)
        return ManyKeys(self.prefix.network, stage, kept, tuple(groups), keys, values)
