"""Edge-level planting of programs in transformers (design, section 4), for several placements of one program at once.

Each step asks of random rows: the task itself; the causal model's counterfactual when one circuit edge, and no other,
carries what its node wrote for another input, alone and with the complement of the circuit resampled from a third; no
change under joint resampling of the complement or a random part of it; and what each node of the circuit should write.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from peabench.mechanism import evaluate
from peabench.mechanism.kinds import bounds
from peabench.networks import Transformer
from peabench.training.stacked import orthonormal
from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.planting.layout import Layout
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.program import Program

EDGE_GROUPS = 6
"""Groups of rows with patched edges: a third one edge alone, a third with the complement, a third the complement."""
GROUPS = EDGE_GROUPS + 2
"""And groups with interchanged subspaces: one variable; several."""


@dataclass
class Batch:
    """Logits and what they should be; rows of one network."""

    logits: Float[Tensor, "network row output"]
    target: Int[Tensor, "network row"]
    weight: float


@dataclass
class Run:
    """What a run of all networks computed. What comes after the last attention holds the last position alone."""

    columns: list[Float[Tensor, "stack row position d_model"]]
    boundaries: list[Float[Tensor, "stack row position d_model"]]
    """The residual stream before each block, and before the output."""
    logits: Float[Tensor, "stack row output"]
    """At the last position."""


def spread(x: Tensor, groups: int) -> Tensor:
    """Each network's part as often as there are groups, in a row."""
    return x[:, None].expand(-1, groups, *x.shape[1:]).flatten(0, 1)


def along_basis(
    x: Float[Tensor, "stack row position d"], basis: Float[Tensor, "stack d k"]
) -> Float[Tensor, "stack row position k"]:
    """Coordinates; one product for each network instead of one for each row."""
    return torch.bmm(x.flatten(1, 2), basis).view(*x.shape[:3], -1)


@dataclass
class Patch:
    """What groups of rows take from other inputs: edges, whose readers see what a node wrote there, and subspaces."""

    groups: int
    keep: Float[Tensor, "stack reader column"]
    """1 where a reader sees what is written now."""
    everywhere: Float[Tensor, "stack reader row_position_d"]
    """What each reader sees of other inputs, for readers at all positions."""
    at_last: Float[Tensor, "stack reader row_d"]
    """The same for readers at the last position alone."""
    basis: Float[Tensor, "stack d_model k"]
    swaps: list[tuple[Float[Tensor, "stack boundary position k"], list[Tensor]]]
    """Which coordinates are set at each boundary, and other inputs' boundaries."""

    @classmethod
    def between(
        cls,
        layout: Layout,
        clean: Run,
        shifts: tuple[int, int],
        edges: tuple[Float[Tensor, "network group reader column"], Float[Tensor, "network group reader column"]],
        bases: Float[Tensor, "network d_model k"],
        select: Float[Tensor, "source network group boundary position k"],
    ) -> "Patch":
        """Two masks of edges and two selections of coordinates, each with how far away in the pool its source is."""
        networks, groups, n_readers = edges[0].shape[:3]
        masks = torch.cat([mask * layout.exists for mask in edges], -1)
        after, full = layout.everywhere_readers, layout.everywhere_columns
        columns = [column.detach() for column in clean.columns]

        def incoming(readers: slice, some: list[Tensor]) -> Tensor:
            other = torch.stack([c.roll(shift, 1) for shift in shifts for c in some], 1)
            n = len(clean.columns)
            places = [*range(len(some)), *range(n, n + len(some))]
            mask = masks[:, :, readers][..., places].flatten(1, 2)
            return torch.bmm(mask, other.flatten(2)).view(networks * groups, -1, other[0, 0].numel())

        return cls(
            groups,
            (1 - edges[0] - edges[1]).flatten(0, 1),
            incoming(slice(0, after), columns[:full]),
            incoming(slice(after, n_readers), [c[:, :, -1:] for c in columns]),
            spread(bases, groups),
            [
                (chosen.flatten(0, 1), [spread(b.detach().roll(shift, 1), groups) for b in clean.boundaries])
                for shift, chosen in zip(shifts, select, strict=True)
            ],
        )

    def interchange(self, index: int, resid: Float[Tensor, "stack row position d_model"]) -> Tensor:
        """How the stream at a boundary changes."""
        change = torch.zeros(())
        for select, theirs in self.swaps:
            along = along_basis(theirs[index] - resid, self.basis)
            change = change + along * select[:, index, None, -resid.shape[2] :]
        return along_basis(change, self.basis.transpose(1, 2))


def subspaces(program: Program) -> dict[str, slice]:
    """Columns of the planted basis that hold each step's variable."""
    found, at = {}, 0
    for step in program.steps:
        found[step.variable] = slice(at, at + step.code.shape[-1])
        at += step.code.shape[-1]
    return found


def planted_bases(placements: list[Placement], seeds: list[int]) -> Float[Tensor, "network d_model k"]:
    """Random orthonormal columns for each network, one set per variable."""
    size = sum(step.code.shape[-1] for step in placements[0].program.steps)
    d_model = placements[0].config.d_model
    return torch.stack([orthonormal((d_model, size), torch.Generator().manual_seed(s)) for s in seeds])


def initial_networks(
    placements: list[Placement], layout: Layout, bases: Float[Tensor, "network d_model k"], seeds: list[int]
) -> list[Transformer]:
    """Random networks in the layout's order whose circuit nodes already write in their planted subspaces."""
    spans = subspaces(placements[0].program)
    networks = []
    for k, (placement, seed) in enumerate(zip(placements, seeds, strict=True)):
        network = Transformer(placement.config, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for block in range(placement.config.n_blocks):
                qkv = network.block(block).attention.w_qkv
                qkv[:, 1] = qkv[:, 0]  # like attends to like: heads that match tokens then start
            for variable, column in layout.writers.items():
                name, block = layout.columns[int(column[k])]
                span = bases[k][:, spans[variable]]
                if name == "mlp":
                    weight = network.block(block).mlp.w_out.data
                else:
                    weight = network.block(block).attention.w_o.data[int(name.removeprefix("head"))]
                size = weight.norm()
                weight.copy_(weight @ span @ span.T)
                weight.mul_(size / weight.norm())
        networks.append(network)
    return networks


@dataclass
class Planter:
    """Networks under training with what is demanded of them."""

    program: Program
    stack: StackedTransformer
    layout: Layout
    bases: Float[Tensor, "network d_model k"]
    rows: Int[Tensor, "input column"]
    """Inputs that batches are drawn from."""
    weights: Float[Tensor, " input"]
    sites: list[dict[str, range]]
    """`resid` indices at which each network's variables may be set."""
    generator: torch.Generator

    def pool(self, count: int) -> Int[Tensor, "network row column"]:
        """Random inputs, half uniform and half by weight."""
        networks = len(self.bases)
        uniform = torch.randint(0, len(self.rows), (networks, count - count // 2), generator=self.generator)
        drawn = torch.multinomial(
            self.weights.expand(networks, -1), count // 2, replacement=True, generator=self.generator
        )
        mixed = torch.cat([uniform, drawn], 1)[:, torch.randperm(count, generator=self.generator)]
        return self.rows[mixed]

    def subset(self, index: list[int]) -> "Planter":
        """Some of the networks, copied; the layout keeps the widths of all."""
        layout = self.layout
        chosen = Layout(
            layout.config,
            layout.order[index],
            layout.slots,
            layout.mlp_reads,
            layout.columns,
            layout.readers,
            layout.circuit[index],
            layout.edges[:, index],
            {name: column[index] for name, column in layout.writers.items()},
        )
        return Planter(
            self.program,
            self.stack.subset(index),
            chosen,
            self.bases[index],
            self.rows,
            self.weights,
            [self.sites[i] for i in index],
            self.generator,
        )

    def losses(
        self, tokens: Int[Tensor, "network row column"], tutoring: float
    ) -> tuple[list[Batch], Float[Tensor, ""]]:
        """All demands on one pool of inputs, which serve one another as sources; and the loss on what nodes write."""
        model = self.program.model
        values = model.run(model.read_inputs(tokens))
        clean = self.run(tokens)
        truth = values[model.output].long() - self.lowest
        patched, distance = self._patched(tokens, values, clean)
        self.distance = self._written(values, clean.columns) + EDGE_GROUPS * distance + self._embedded()
        return [Batch(clean.logits, truth, 1.0), *patched], tutoring * self.distance.sum()

    def written_badly(self, tokens: Int[Tensor, "network row column"]) -> Float[Tensor, " network"]:
        """How far what the circuit's nodes write on clean runs is from what they should."""
        values = self.program.model.run(self.program.model.read_inputs(tokens))
        return self._written(values, self.run(tokens).columns).sum(0) + self._embedded()

    @property
    def lowest(self) -> int:
        """The output's least value, which is class 0."""
        low, _ = bounds(self.program.model.kinds[self.program.model.output]) or (0, 0)
        return low

    def run(
        self, tokens: Int[Tensor, "network row column"], patch: Patch | None = None
    ) -> Run:
        """A run of all networks, in groups of rows with edges and subspaces patched where there is a patch."""
        stack, layout, config = self.stack, self.layout, self.stack.config
        rows, length = tokens.shape[1:]
        embedded = stack.embed(tokens)
        if patch is not None:
            embedded = spread(embedded, patch.groups)
        lead = len(embedded)
        columns, boundaries = [embedded], list[Tensor]()
        resid = embedded
        moved = torch.zeros_like(embedded)  # by interchanges; every reader sees it
        at_reader = {name: i for i, name in enumerate(layout.readers)}

        def boundary(index: int) -> None:
            nonlocal resid, moved
            if patch is not None:
                change = patch.interchange(index, resid)
                resid, moved = resid + change, moved[:, :, -change.shape[2] :] + change
            boundaries.append(resid)

        def read(first: int, count: int, incoming: Tensor, before: int) -> Tensor:
            here = torch.stack([c[:, :, -resid.shape[2] :] for c in (*columns, moved)], 1)
            keep = torch.nn.functional.pad(patch.keep[:, first : first + count, : len(columns)], (0, 1), value=1.0)
            reads = torch.baddbmm(incoming[:, first - before : first - before + count], keep, here.flatten(2))
            return reads.view(lead, count, *resid.shape[1:])

        def write(new: list[Tensor]) -> None:
            nonlocal resid
            for column in new:
                resid = resid + column
            columns.extend(new)

        heads, e = config.n_heads, config.d_head
        for block in range(config.n_blocks):
            last = block == config.n_blocks - 1
            slots = layout.slots[block]
            boundary(block)
            parts = []
            if slots:
                if patch is None:
                    reads = resid[:, None].expand(-1, 3 * slots, -1, -1, -1)
                else:
                    reads = read(at_reader["head0.q", block], 3 * slots, patch.everywhere, 0)
                parts.append(stack.project(block, slice(0, slots), reads.flatten(2, 3)))
            if slots < heads:
                parts.append(stack.project_together(block, slice(slots, heads), resid.flatten(1, 2)))
            q, k, v = torch.cat(parts, 1).unflatten(3, (rows, length)).unbind(2)
            if last:
                q, resid = q[..., -1:, :], resid[..., -1:, :]
            mixed = stack.attend(q, k, v)  # [lead, head, row, query, e]
            w_o = stack.weight(f"block{block}.attention.w_o", lead)
            asked = mixed.shape[3]
            own = torch.bmm(
                mixed[:, :slots].reshape(lead * slots, rows * asked, e), w_o[:, :slots].reshape(lead * slots, e, -1)
            ).view(lead, slots, rows, asked, resid.shape[-1])
            half = self._halves[block].repeat_interleave(lead // len(self._halves[block]), 0)[..., None, None]
            others = mixed[:, slots:].permute(0, 2, 3, 1, 4).reshape(lead, rows * asked, -1)
            wide = torch.cat([w_o[:, slots:] * half, w_o[:, slots:] * (1 - half)], -1).flatten(1, 2)
            bias = torch.nn.functional.pad(stack.weight(f"block{block}.attention.b_o", lead), (0, resid.shape[-1]))
            rest = torch.baddbmm(bias[:, None], others, wide).view(lead, rows, asked, 2, -1)
            write([*own.unbind(1), *rest.unbind(3)])
            if config.d_mlp:
                x = resid
                if layout.mlp_reads[block] and patch is not None:
                    incoming = (patch.at_last, layout.everywhere_readers) if last else (patch.everywhere, 0)
                    x = read(at_reader["mlp", block], 1, *incoming)[:, 0]
                write([stack.mlp(block, x.flatten(1, 2)).view(x.shape)])
        boundary(config.n_blocks)
        x = resid
        if patch is not None:
            x = read(at_reader["output", config.n_blocks], 1, patch.at_last, layout.everywhere_readers)[:, 0]
        return Run(columns, boundaries, stack.unembed(x[..., 0, :]))

    def split(self) -> None:
        """Draw anew which half of the other heads each head belongs to."""
        self._halves = [
            (
                torch.rand(len(self.bases), self.layout.config.n_heads - slots, generator=self.generator) < 0.5
            ).float()
            for slots in self.layout.slots
        ]

    def _patched(self, tokens: Tensor, values: dict[str, Tensor], clean: Run) -> tuple[list[Batch], Tensor]:
        """Groups of rows with one edge patched, with the complement of the circuit resampled, both, or subspaces
        interchanged; and the distances of what is written in the former from what should be."""
        layout, generator = self.layout, self.generator
        networks, rows = tokens.shape[:2]
        third = EDGE_GROUPS // 3
        picked = torch.randint(0, len(layout.edges), (GROUPS,), generator=generator)
        group = torch.arange(GROUPS)
        with_edge, with_rest = group < 2 * third, (group >= third) & (group < EDGE_GROUPS)
        shape = (networks, GROUPS, *layout.circuit.shape[1:])
        single = torch.zeros(shape)
        for i in range(2 * third):
            reader, column = layout.edges[picked[i]].T
            single[torch.arange(networks), i, reader, column] = 1
        share = torch.rand(networks, GROUPS, 1, 1, generator=generator)
        part = (torch.rand(shape, generator=generator) < share).float()
        part = torch.where(torch.rand(networks, GROUPS, 1, 1, generator=generator) < 0.6, 1.0, part)
        rest = (1 - layout.circuit)[:, None] * part * with_rest[None, :, None, None]
        one, two = torch.randint(1, rows, (2,), generator=generator).tolist()

        chosen, select = self._interchanges(networks)
        patch = Patch.between(layout, clean, (one, two), (single, rest), self.bases, select)
        run = self.run(tokens, patch)
        logits = run.logits.view(networks, GROUPS * rows, -1)
        others = [{name: value.roll(shift, 1) for name, value in values.items()} for shift in (one, two)]
        output, seen = self.counterfactual(values, others, picked, with_edge, chosen)
        truth = output.flatten(1) - self.lowest
        kept = EDGE_GROUPS * rows
        edges = {
            s.variable: seen[s.variable].expand(networks, GROUPS, rows, *seen[s.variable].shape[3:]).flatten(1, 2)[:, :kept]
            for s in self.program.steps
        }
        distance = self._written(edges, [c.view(networks, GROUPS * rows, *c.shape[2:])[:, :kept] for c in run.columns])
        batches = [
            Batch(logits[:, :kept], truth[:, :kept], float(EDGE_GROUPS)),
            Batch(logits[:, kept:], truth[:, kept:], float(GROUPS - EDGE_GROUPS)),
        ]
        return batches, distance

    def _interchanges(self, networks: int) -> tuple[Tensor, Float[Tensor, "source network group boundary position k"]]:
        """Which variables each of the last groups sets, from which of two sources, and where in the stream.

        Returns:
            [source, network, group, variable] in the order of the steps; and the coordinates that are set.
        """
        config, steps = self.layout.config, self.program.steps
        spans = subspaces(self.program)
        size = self.bases.shape[-1]
        chosen = torch.zeros(2, networks, GROUPS, len(steps), dtype=torch.bool)
        select = torch.zeros(2, networks, GROUPS, config.n_blocks + 1, config.n_positions, size)
        for k in range(networks):
            placed = [v for v, step in enumerate(steps) if self.sites[k][step.variable]]
            if not placed:
                continue
            for group in range(EDGE_GROUPS, GROUPS):
                order = torch.randperm(len(placed), generator=self.generator).tolist()
                count = 1 if group == EDGE_GROUPS else 1 + int(torch.randint(0, len(placed), (), generator=self.generator))
                for v in (placed[i] for i in order[:count]):
                    step = steps[v]
                    source, which = torch.randint(0, 1 << 20, (2,), generator=self.generator).tolist()
                    sites = self.sites[k][step.variable]
                    site = sites[which % len(sites)]
                    at = slice(None) if step.everywhere else slice(-1, None)
                    chosen[source % 2, k, group, v] = True
                    select[source % 2, k, group, site, at, spans[step.variable]] = 1
        return chosen, select

    def counterfactual(
        self,
        values: dict[str, Tensor],
        others: list[dict[str, Tensor]],
        edges: Int[Tensor, " group"],
        active: Bool[Tensor, " group"],
        chosen: Bool[Tensor, "source network group variable"],
    ) -> tuple[Int[Tensor, "network group row"], dict[str, Tensor]]:
        """The output (and all variables) when each group's edge, where it is active, shows its child the parent's value
        in the first of the other inputs, and when the chosen variables are set to their values in either."""
        program, model = self.program, self.program.model
        carried = self.carried
        number = {step.variable: v for v, step in enumerate(program.steps)}
        run: dict[str, Tensor] = {}

        def shaped(mask: Tensor, like: Tensor) -> Tensor:
            return mask.view(*mask.shape, 1, *[1] * (like.dim() - 2))

        for variable in model.variables:
            name = variable.name
            if variable.function is None:
                run[name] = values[name][:, None]
                continue
            arguments = {}
            for parent in variable.parents:
                numbers = [i for i, pairs in enumerate(carried) if (parent, name) in pairs]
                mine = run[parent]
                if numbers:
                    where = (active & torch.isin(edges, torch.tensor(numbers)))[None]
                    mine = torch.where(shaped(where, values[parent]), others[0][parent][:, None], mine)
                arguments[parent] = mine
            run[name] = evaluate(variable.function, arguments, model.kinds)
            if name in number:
                for source, other in enumerate(others):
                    where = shaped(chosen[source, :, :, number[name]], values[name])
                    run[name] = torch.where(where, other[name][:, None], run[name])
        output = run[model.output].long()
        for i, pairs in enumerate(carried):
            if (model.output, model.output) in pairs:  # what one node writes passes to the output as it is
                where = shaped((active & (edges == i))[None], values[model.output])
                output = torch.where(where, others[0][model.output].long()[:, None], output)
        shape = (values[model.output].shape[0], len(edges), values[model.output].shape[1])
        return output.expand(shape), run

    @property
    def carried(self) -> list[list[tuple[str, str]]]:
        """What each edge carries, in the order of the layout."""
        found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for step in self.program.steps:
            for read in step.reads:
                found.setdefault((step.variable, read.port, read.parent), []).append((read.parent, read.child))
        for parent, child in self.program.outputs:
            found.setdefault(("", "output", parent), []).append((parent, child))
        return list(found.values())

    def _written(self, values: dict[str, Tensor], columns: list[Tensor]) -> Float[Tensor, "step network"]:
        """Mean squared distance of what the circuit's nodes write in their subspaces from their codes."""
        spans = subspaces(self.program)
        distances = []
        networks = torch.arange(len(self.bases))
        everywhere = torch.stack(columns[: self.layout.everywhere_columns], 1)
        at_last = torch.stack([c[:, :, -1:] for c in columns], 1)
        for step in self.program.steps:
            low, _ = bounds(self.program.model.kinds[step.variable]) or (0, 0)
            index = values[step.variable].long() - low
            code = step.code
            writer = self.layout.writers[step.variable]
            if step.everywhere and bool((writer < everywhere.shape[1]).all()):
                out = everywhere[networks, writer]
                wanted = code[torch.arange(index.shape[-1]) if code.shape[0] > 1 else 0, index]
            else:
                out = at_last[networks, writer]
                wanted = code[-1, index[..., -1:] if step.everywhere else index[..., None]]
            span = self.bases[:, :, spans[step.variable]]
            written = along_basis(out, span)
            beside = out - along_basis(written, span.transpose(1, 2))
            beside = (beside - beside.mean(1, keepdim=True)).square().sum(-1).mean((1, 2))
            distances.append((written - wanted).square().mean((1, 2, 3)) + beside)
        return torch.stack(distances)

    def _embedded(self) -> Float[Tensor, " network"]:
        """How much of the tokens lies in the planted subspaces, which are other variables'."""
        embedded = self.stack.parameters["w_embed"]
        inside = (embedded - embedded.mean(1, keepdim=True)) @ self.bases
        return inside.square().sum((1, 2))

    def errors(self, batches: list[Batch]) -> Int[Tensor, "batch network"]:
        """Rows of each network that are wrong."""
        return torch.stack([(b.logits.argmax(-1) != b.target).sum(1) for b in batches])


def step_loss(batches: list[Batch]) -> Float[Tensor, ""]:
    """Sum over networks of the weighted mean cross-entropies."""
    total = torch.zeros(())
    for batch in batches:
        each = cross_entropy(batch.logits.flatten(0, 1), batch.target.flatten(), reduction="none")
        total = total + batch.weight * each.view(batch.target.shape).mean(1).sum()
    return total
