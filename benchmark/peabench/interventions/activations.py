"""One plain run of a network, kept: everything that interventions are made from, as far as a metric depends on it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.errors import PeabenchError
from peabench.networks import Network, Transformer


@dataclass(frozen=True)
class Activations:
    """What a network computed on a batch of inputs. In every tensor that is kept axis 0 is positions, axis 1 the batch.

    *Dependency tracking*: `needed[s]` are the positions before stage s that can still reach the positions looked at.
    Before the last attention that is every position up to the last one looked at (every position at all where attention
    is bidirectional); after it, only those looked at: in a run of `run_with_cache` all of them, if not told otherwise.
    """

    network: Network
    inputs: Int[Tensor, "batch column"]
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
        """Positions looked at."""
        return self.needed[-1]

    @cached_property
    def nodes(self) -> Float[Tensor, "node batch position d_model"]:
        """Output of every node, in the order of `graph.nodes`, at the positions looked at (all of them by default)."""
        with torch.inference_mode(False), torch.no_grad():
            return self.written(range(len(self.network.graph.nodes))).permute(1, 2, 0, 3).contiguous()

    @cached_property
    def stage_inputs(self) -> Float[Tensor, "stage batch position d_model"]:
        """The residual stream before each stage; the last entry is what `output` reads."""
        with torch.inference_mode(False):
            return torch.stack(self.resid).transpose(1, 2)

    @cached_property
    def logits(self) -> Float[Tensor, "batch position output"]:
        """The network's output."""
        with torch.inference_mode(False), torch.no_grad():
            return self.network.unembed(self.resid[-1].transpose(0, 1))

    def written(
        self, nodes: Sequence[int], positions: Sequence[int] | None = None
    ) -> Float[Tensor, "position node batch d_model"]:
        """What nodes (in the order of the graph) write, at needed positions; biases that belong to no node left out."""
        graph, parts = self.network.graph, []
        for stage in range(len(graph.stages) + 1):
            chosen = [node - graph.nodes_before(stage).start for node in nodes if node in graph.nodes_before(stage)]
            if not chosen:
                continue
            at = [self.needed[stage].index(p) for p in (self.look if positions is None else positions)]
            if stage == 0:
                parts.append(pick_rows(self.embedded, at).transpose(1, 2)[:, chosen])
                continue
            inner = self.inner[stage - 1]
            if inner is None:
                parts.append((pick_rows(self.resid[stage], at) - pick_rows(self.resid[stage - 1], at))[:, None])
            else:
                parts.append(self.network.spread(stage - 1, pick_rows(inner, at), chosen).transpose(0, 1))
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]

    def change_from(self, base: "Activations") -> "Activations":
        """This run minus another: what nodes write is linear in it, so that `written` then tells how they differ."""

        def minus(ours: Sequence[Tensor | None], theirs: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
            return tuple(None if a is None or b is None else a - b for a, b in zip(ours, theirs, strict=True))

        resid = tuple(a - b for a, b in zip(self.resid, base.resid, strict=True))
        embedded, inner = self.embedded - base.embedded, minus(self.inner, base.inner)
        return replace(self, embedded=embedded, resid=resid, inner=inner)

    def at(self, stage: int, positions: Sequence[int]) -> Float[Tensor, "position batch d_model"]:
        """The residual stream before a stage at some of its needed positions."""
        return pick_rows(self.resid[stage], [self.needed[stage].index(p) for p in positions])

    def select(self, index: slice | Int[Tensor, " row"]) -> "Activations":
        """The activations of some of the inputs, in the order asked for."""

        def pick(tensors: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
            return tuple(None if tensor is None else tensor[:, index] for tensor in tensors)

        chosen = replace(
            self,
            inputs=self.inputs[index],
            embedded=self.embedded[:, index],
            resid=tuple(resid[:, index] for resid in self.resid),
            queries=pick(self.queries),
            keys=pick(self.keys),
            values=pick(self.values),
            inner=pick(self.inner),
        )
        for name in ("nodes", "stage_inputs"):
            if name in self.__dict__:  # what was asked for once is not computed again for every choice
                chosen.__dict__[name] = self.__dict__[name][:, index]
        return chosen

    def require(self, look: tuple[int, ...]) -> None:
        """Refuse a run that was cut to what other positions of the output depend on.

        Raises:
            PeabenchError: it was.
        """
        if not set(look) <= set(self.look):
            raise PeabenchError(
                f"expected a run that looks at the positions {list(look)}, got one that was cut to {list(self.look)}; "
                "run the network with these positions in `look`, or without it"
            )

    def look_at(self, look: tuple[int, ...]) -> "Activations":
        """The part of a run that some positions depend on.

        Raises:
            PeabenchError: the run was itself cut to what other positions depend on.
        """
        self.require(look)
        needed = needed_positions(self.network, look, self.embedded.shape[0])

        def pick(tensors: Sequence[Tensor | None], after: int) -> tuple[Tensor | None, ...]:
            places = [[mine.index(p) for p in at] for mine, at in zip(self.needed, needed, strict=True)][after:]
            return tuple(None if t is None else pick_rows(t, at) for t, at in zip(tensors, places, strict=False))

        resid = tuple(x for x in pick(self.resid, 0) if x is not None)
        queries, inner = pick(self.queries, 1), pick(self.inner, 1)
        keys, values = pick(self.keys, 0), pick(self.values, 0)
        return replace(self, needed=needed, resid=resid, queries=queries, keys=keys, values=values, inner=inner)


def run_with_cache(
    network: Network,
    inputs: Int[Tensor, "batch column"],
    embedded: Float[Tensor, "node batch position d_model"] | None = None,
    *,
    look: tuple[int, ...] | None = None,
) -> Activations:
    """Run a network once and keep everything that interventions are made from; no gradient flows through it.

    It runs from the given embedding nodes where there are any, in place of those of the inputs. Where `look` names
    positions of the output, only what these depend on is computed and kept; the logits are then of these positions.

    Raises:
        PeabenchError: `look` is empty or names a position that the inputs do not have.
    """
    length = positions_of(network, inputs)
    if look is not None and (not look or min(look) < 0 or max(look) >= length):
        raise PeabenchError(f"expected positions from 0 to {length - 1} to look at, got {look}")
    with torch.no_grad():
        return run(network, inputs, look, embedded)


Tap = Callable[[int, Tensor], Tensor]
"""Sees each projection of a run (with its stage) and gives what the run goes on with."""


def run(
    network: Network,
    inputs: Int[Tensor, "batch column"],
    look: tuple[int, ...] | None,
    embedded: Float[Tensor, "node batch position d_model"] | None = None,
    tap: Tap | None = None,
    given: tuple[int, Float[Tensor, "position batch node e"]] | None = None,
) -> Activations:
    """Run the network once, computing only what the positions looked at (None: all of them) depend on.

    It goes on from the given embedding nodes, and from the inner values given for a stage, in place of its own.
    """
    embedded = network.embedding_nodes(inputs) if embedded is None else embedded
    length = embedded.shape[2]
    needed = needed_positions(network, tuple(range(length)) if look is None else look, length)
    x = pick_rows(network.start(embedded).movedim(1, 0), needed[0]).contiguous()
    resid, attended, inner = [x], [], list[Tensor | None]()
    for stage, at in enumerate(network.graph.stages):
        q = k = v = mixed = None
        if at.kind == "attention":
            assert isinstance(network, Transformer)  # the only network with attention
            asking = [needed[stage].index(p) for p in needed[stage + 1]]
            q, k, v = project_attention(network, stage, x, asking)
            if tap is not None:
                q, k, v = (tap(stage, projections) for projections in (q, k, v))
            mixed = network.attend(q, k, v, needed[stage + 1])
            mixed = given[1] if given is not None and given[0] == stage else mixed
            x = network.write(stage, mixed).add_(pick_rows(x, asking))
        elif tap is not None or len(at.nodes) > 1:
            projections = network.project(stage, x)
            mixed = network.react(stage, projections if tap is None else tap(stage, projections))
            mixed = given[1] if given is not None and given[0] == stage else mixed
            x = network.write(stage, mixed).add_(x)
        else:
            x = network.stage_sum(stage, x)
        attended.append((q, k, v))
        inner.append(mixed if at.kind == "attention" or len(at.nodes) > 1 else None)
        resid.append(x)
    queries, keys, values = zip(*attended, strict=True)
    around = embedded.permute(2, 1, 0, 3)
    return Activations(network, inputs, needed, around, tuple(resid), queries, keys, values, tuple(inner))


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


def project_attention(
    network: Transformer, stage: int, x: Float[Tensor, "row *hypothesis batch d_model"], asking: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the rows that ask, keys and values of all rows."""
    if len(asking) == len(x):
        q, k, v = network.project(stage, x).unbind(-3)
    else:
        k, v = network.project(stage, x, slice(1, 3)).unbind(-3)
        q = network.project(stage, pick_rows(x, asking), slice(0, 1))[..., 0, :, :]
    return q, k, v


def pick_examples(tensor: Float[Tensor, "row batch *any"], index: slice | Int[Tensor, " example"]) -> Tensor:
    """Some of the examples, without a copy where they are a slice (of no inference tensor: autograd takes none)."""
    if isinstance(index, slice):
        return tensor[:, index].clone() if tensor.is_inference() else tensor[:, index]
    return tensor.index_select(1, index)


def pick_rows(tensor: Float[Tensor, "position *any"], rows: Sequence[int]) -> Float[Tensor, "row *any"]:
    """Rows of a tensor, without a copy where they are one run of consecutive rows or one row many times."""
    if not rows:
        return tensor[:0]
    if min(rows) == max(rows):
        return tensor[rows[0]].expand(len(rows), *tensor.shape[1:])
    if list(rows) == list(range(rows[0], rows[0] + len(rows))):
        return tensor[rows[0] : rows[0] + len(rows)]
    return tensor.index_select(0, torch.tensor(rows, device=tensor.device))


@contextmanager
def frozen(network: Network) -> Iterator[None]:
    """Keep the network's parameters out of every gradient inside the block."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
