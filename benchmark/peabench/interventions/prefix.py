"""One run of a network with positions leading, kept only as far as a metric depends on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import Activations
from peabench.interventions.chunks import in_cache
from peabench.networks import Network, Transformer


@dataclass(frozen=True)
class Prefix:
    """What a run computed that the metric's positions depend on. In every tensor axis 0 is positions, axis 1 the batch.

    *Dependency tracking*: `needed[s]` are the positions before stage s that can still reach the positions looked at.
    Before the last attention that is every position up to the last one looked at (every position at all where attention
    is bidirectional); after it, only those looked at.
    """

    network: Network
    needed: tuple[tuple[int, ...], ...]
    """For each stage, and last for the output reader."""
    embedded: Float[Tensor, "position batch node d_model"]
    resid: tuple[Float[Tensor, "position batch d_model"], ...]
    """The residual stream before each stage at its needed positions; last what `output` reads."""
    queries: tuple[Tensor | None, ...]
    """[position, batch, head, e] of attention stages, at the positions needed after them."""
    keys: tuple[Tensor | None, ...]
    """[position, batch, head, e] of attention stages."""
    values: tuple[Tensor | None, ...]
    """[position, batch, head, e] of attention stages."""
    inner: tuple[Tensor | None, ...]
    """[position, batch, node, e] of stages with several nodes: attention's mixed values, units' hidden neurons."""

    @property
    def look(self) -> tuple[int, ...]:
        """Positions the metric looks at."""
        return self.needed[-1]

    def rows(self, index: slice | Int[Tensor, " row"]) -> "Prefix":
        """Some of the examples."""

        def pick(tensors: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
            return tuple(None if tensor is None else tensor[:, index] for tensor in tensors)

        return replace(
            self,
            embedded=self.embedded[:, index],
            resid=tuple(resid[:, index] for resid in self.resid),
            queries=pick(self.queries),
            keys=pick(self.keys),
            values=pick(self.values),
            inner=pick(self.inner),
        )

    def at(self, stage: int, positions: Sequence[int]) -> Float[Tensor, "position batch d_model"]:
        """The residual stream before a stage at some of its needed positions."""
        return pick_rows(self.resid[stage], [self.needed[stage].index(p) for p in positions])


def needed_positions(network: Network, look: tuple[int, ...], length: int) -> tuple[tuple[int, ...], ...]:
    """Positions before each stage, and before the output, that the positions looked at depend on."""
    needed = [look]
    for stage in reversed(network.graph.stages):
        if stage.kind != "attention":
            needed.append(needed[-1])
        else:
            needed.append(tuple(range(max(needed[-1]) + 1 if network.config.causal else length)))
    return tuple(reversed(needed))


def positions_of(network: Network, inputs: Int[Tensor, "batch column"]) -> int:
    """Number of positions that these inputs have."""
    return inputs.shape[1] if isinstance(network, Transformer) else 1


Tap = Callable[[int, Tensor], Tensor]
"""Sees each projection of a run (with its stage) and gives what the run goes on with."""


def run_prefix(
    network: Network,
    inputs: Int[Tensor, "batch column"],
    look: tuple[int, ...],
    embedded: Float[Tensor, "node batch position d_model"] | None = None,
    tap: Tap | None = None,
) -> Prefix:
    """Run the network once, computing only what the positions looked at depend on.

    Args:
        network: the network.
        inputs: rows of integer columns.
        look: positions looked at.
        embedded: embedding nodes to run from in place of those of the inputs.
        tap: sees all projections.
    """
    embedded = network.embedding_nodes(inputs) if embedded is None else embedded
    needed = needed_positions(network, look, embedded.shape[2])
    x = pick_rows(network.start(embedded).movedim(1, 0), needed[0]).contiguous()
    resid, attended, inner = [x], [], list[Tensor | None]()
    for stage, at in enumerate(network.graph.stages):
        q = k = v = mixed = None
        if at.kind == "attention":
            assert isinstance(network, Transformer)  # the only network with attention
            q, k, v = project_attention(network, stage, x, needed)
            if tap is not None:
                q, k, v = (tap(stage, projections) for projections in (q, k, v))
            mixed = network.attend(q, k, v, needed[stage + 1])
            x = pick_rows(x, [needed[stage].index(p) for p in needed[stage + 1]])
            x = x + network.write(stage, mixed)
        elif tap is not None or len(at.nodes) > 1:
            projections = network.project(stage, x)
            mixed = network.react(stage, projections if tap is None else tap(stage, projections))
            x = x + network.write(stage, mixed)
        else:
            x = in_cache(lambda part, stage=stage: network.stage_sum(stage, part), x)  # type: ignore[misc]
        attended.append((q, k, v))
        inner.append(mixed if at.kind == "attention" or len(at.nodes) > 1 else None)
        resid.append(x)
    queries, keys, values = zip(*attended, strict=True)
    return Prefix(network, needed, embedded.permute(2, 1, 0, 3), tuple(resid), queries, keys, values, tuple(inner))


def prefix_from(network: Network, activations: Activations, look: tuple[int, ...], start: int) -> Prefix:
    """What replays from stage `start` on need of a run that is already there; positions leading, without a new run."""
    embedded = activations.nodes[: network.graph.n_embedding_nodes]
    needed = needed_positions(network, look, embedded.shape[2])
    resid, attended = list[Tensor](), list[tuple[Tensor, Tensor, Tensor] | tuple[None, None, None]]()
    for stage, (at, x) in enumerate(zip(needed, activations.stage_inputs, strict=True)):
        resid.append(pick_rows(x.movedim(1, 0), at))
        if start <= stage < len(network.graph.stages) and network.graph.stages[stage].kind == "attention":
            assert isinstance(network, Transformer)
            attended.append(project_attention(network, stage, resid[-1], needed))
        else:
            attended.append((None, None, None))
    queries, keys, values = zip(*attended[:-1], strict=True)
    none = (None,) * len(network.graph.stages)
    return Prefix(network, needed, embedded.permute(2, 1, 0, 3), tuple(resid), queries, keys, values, none)


def project_attention(
    network: Transformer, stage: int, x: Float[Tensor, "position batch d_model"], needed: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries at the positions needed after an attention stage, keys and values at those needed before it."""
    if needed[stage] == needed[stage + 1]:
        q, k, v = network.project(stage, x).unbind(-3)
    else:
        k, v = network.project(stage, x, slice(1, 3)).unbind(-3)
        x = pick_rows(x, [needed[stage].index(p) for p in needed[stage + 1]])
        q = network.project(stage, x, slice(0, 1))[..., 0, :, :]
    return q, k, v


def node_differences(
    base: Prefix, source: Prefix, stage: int, positions: Sequence[int]
) -> Float[Tensor, "position node batch d_model"]:
    """What each node of a stage (-1: each embedding node) writes in the source run beyond the base run.

    Only the difference of inner values passes through the output weights, and only at some of the positions needed.
    """

    def pick(of: Callable[[Prefix], Tensor | None]) -> Tensor:
        at = [base.needed[stage + 1].index(p) for p in positions]
        theirs, ours = of(source), of(base)
        assert theirs is not None
        assert ours is not None
        return pick_rows(theirs, at) - pick_rows(ours, at)

    if stage < 0:
        return pick(lambda run: run.embedded).transpose(1, 2)
    if base.inner[stage] is not None:
        return base.network.spread(stage, pick(lambda run: run.inner[stage])).transpose(0, 1)
    return (pick(lambda run: run.resid[stage + 1]) - pick(lambda run: run.resid[stage]))[:, None]


def pick_rows(tensor: Float[Tensor, "position *any"], rows: Sequence[int]) -> Float[Tensor, "row *any"]:
    """Rows of a tensor, without a copy where they are one run of consecutive rows or one row many times."""
    if not rows:
        return tensor[:0]
    if min(rows) == max(rows):
        return tensor[rows[0]].expand(len(rows), *tensor.shape[1:])
    if list(rows) == list(range(rows[0], rows[0] + len(rows))):
        return tensor[rows[0] : rows[0] + len(rows)]
    return tensor.index_select(0, torch.tensor(rows, device=tensor.device))
