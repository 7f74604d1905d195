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

GROUPS = 6
"""Groups of rows with patched edges: a third one edge alone, a third with the complement, a third the complement."""


@dataclass
class Batch:
    """Logits and what they should be; rows of one network."""

    logits: Float[Tensor, "network row output"]
    target: Int[Tensor, "network row"]
    weight: float


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
            self.program, self.stack.subset(index), chosen, self.bases[index], self.rows, self.weights, self.generator
        )

    def losses(
        self, tokens: Int[Tensor, "network row column"], tutoring: float
    ) -> tuple[list[Batch], Float[Tensor, ""]]:
        """All demands on one pool of inputs, which serve one another as sources; and the loss on what nodes write."""
        model = self.program.model
        values = model.run(model.read_inputs(tokens))
        columns, clean = self.run(tokens, [])
        truth = values[model.output].long() - self._lowest
        patched, distance = self._edges(tokens, values, columns)
        self.distance = self._written(values, columns) + GROUPS * distance
        return [Batch(clean, truth, 1.0), patched], tutoring * self.distance.sum()

    @property
    def _lowest(self) -> int:
        low, _ = bounds(self.program.model.kinds[self.program.model.output]) or (0, 0)
        return low

    def run(
        self,
        tokens: Int[Tensor, "stack row column"],
        sources: list[tuple[Float[Tensor, "stack reader column"], list[Tensor]]],
    ) -> tuple[list[Float[Tensor, "stack row position d_model"]], Float[Tensor, "stack row output"]]:
        """Columns and logits at the last position; for each source a mask of edges and the columns they carry.

        Columns after the last attention hold the last position alone.
        """
        stack, layout, config = self.stack, self.layout, self.stack.config
        networks = tokens.shape[0]
        rows, length = tokens.shape[1:]
        embedded = stack.embed(tokens)
        if sources and len(sources[0][0]) > networks:
            groups = len(sources[0][0]) // networks
            embedded = embedded[:, None].expand(-1, groups, -1, -1, -1).reshape(-1, *embedded.shape[1:])
        lead = len(embedded)
        columns = [embedded]
        resid = embedded
        differences = [[theirs[0] - embedded] for _, theirs in sources]
        readers = {name: i for i, name in enumerate(layout.readers)}

        def read(first: int, count: int) -> Tensor:
            reads = resid.reshape(lead, 1, -1).expand(-1, count, -1)
            for (mask, _), chunks in zip(sources, differences, strict=True):
                at = 0
                for chunk in chunks:
                    n = chunk.shape[1] if chunk.dim() == 5 else 1
                    flat = chunk.reshape(lead, n, -1)
                    reads = torch.baddbmm(reads, mask[:, first : first + count, at : at + n], flat)
                    at += n
            return reads.view(lead, count, *resid.shape[1:])

        def write(new: list[Tensor]) -> None:
            nonlocal resid
            for column in new:
                resid = resid + column
            here = len(columns)
            columns.extend(new)
            for (_, theirs), chunks in zip(sources, differences, strict=True):
                chunks.append(torch.stack([theirs[here + i] - column for i, column in enumerate(new)], 1))

        heads, e = config.n_heads, config.d_head
        for block in range(config.n_blocks):
            last = block == config.n_blocks - 1
            slots = layout.slots[block]
            flat = resid.flatten(1, 2)
            parts = []
            if slots:
                first = readers["head0.q", block]
                reads = read(first, 3 * slots) if sources else resid[:, None].expand(-1, 3 * slots, -1, -1, -1)
                parts.append(stack.project(block, slice(0, slots), reads.flatten(2, 3)))
            if slots < heads:
                parts.append(stack.project_together(block, slice(slots, heads), flat))
            qkv = torch.cat(parts, 1).unflatten(3, (rows, length))
            q, k, v = qkv.unbind(2)
            if last:
                q = q[..., -1:, :]
                resid = resid[..., -1:, :]
                differences = [[c[..., -1:, :] for c in chunks] for chunks in differences]
            mixed = stack.attend(q, k, v)  # [lead, head, row, query, e]
            w_o = stack.weight(f"block{block}.attention.w_o", lead)
            asked = mixed.shape[3]
            own = torch.bmm(
                mixed[:, :slots].reshape(lead * slots, -1, e), w_o[:, :slots].reshape(lead * slots, e, -1)
            ).view(lead, slots, rows, asked, -1)
            half = self._halves[block].repeat_interleave(lead // len(self._halves[block]), 0)[..., None, None]
            others = mixed[:, slots:].permute(0, 2, 3, 1, 4).reshape(lead, rows * asked, -1)
            wide = torch.cat([w_o[:, slots:] * half, w_o[:, slots:] * (1 - half)], -1).flatten(1, 2)
            rest = torch.bmm(others, wide).view(lead, rows, asked, 2, -1)
            bias = stack.weight(f"block{block}.attention.b_o", lead)[:, None, None]
            resid = resid + bias
            write([*own.unbind(1), rest[..., 0, :], rest[..., 1, :]])
            if config.d_mlp:
                x = resid
                if layout.mlp_reads[block] and sources:
                    x = read(readers["mlp", block], 1)[:, 0]
                out = stack.mlp(block, x.flatten(1, 2)).view(x.shape)
                write([out])
        x = read(readers["output", config.n_blocks], 1)[:, 0] if sources else resid
        return columns, stack.unembed(x[..., 0, :])

    def split(self) -> None:
        """Draw anew which half of the other heads each head belongs to."""
        self._halves = [
            (
                torch.rand(len(self.bases), self.layout.config.n_heads - slots, generator=self.generator) < 0.5
            ).float()
            for slots in self.layout.slots
        ]

    def _edges(self, tokens: Tensor, values: dict[str, Tensor], columns: list[Tensor]) -> tuple[Batch, Tensor]:
        """Groups of rows with one edge patched, with the complement of the circuit resampled, or both."""
        layout, generator = self.layout, self.generator
        networks, rows = tokens.shape[:2]
        n_edges = len(layout.edges)
        third = GROUPS // 3
        picked = torch.randint(0, n_edges, (GROUPS,), generator=generator)
        with_edge, with_rest = torch.arange(GROUPS) < 2 * third, torch.arange(GROUPS) >= third
        shape = (networks, GROUPS, *layout.circuit.shape[1:])
        single = torch.zeros(shape)
        for group in range(2 * third):
            reader, column = layout.edges[picked[group]].T
            single[torch.arange(networks), group, reader, column] = 1
        part = (torch.rand(shape, generator=generator) < torch.rand(networks, GROUPS, 1, 1, generator=generator)).float()
        part = torch.where(torch.rand(networks, GROUPS, 1, 1, generator=generator) < 0.6, 1.0, part)
        rest = (1 - layout.circuit)[:, None] * part * with_rest[None, :, None, None]
        one, two = torch.randint(1, rows, (2,), generator=generator).tolist()

        def spread(x: Tensor) -> Tensor:
            return x[:, None].expand(-1, GROUPS, *x.shape[1:]).flatten(0, 1)

        sources = [
            (mask.flatten(0, 1), [spread(column.roll(shift, 1)) for column in columns])
            for mask, shift in ((single, one), (rest, two))
        ]
        patched, logits = self.run(tokens, sources)
        logits = logits.view(networks, GROUPS * rows, -1)
        others = {name: value.roll(one, 1) for name, value in values.items()}
        output, run = self.counterfactual(values, others, picked, with_edge)
        run = {s.variable: run[s.variable].expand(networks, GROUPS, rows, *run[s.variable].shape[3:]).flatten(1, 2) for s in self.program.steps}
        distance = self._written(run, [c.view(networks, GROUPS * rows, *c.shape[2:]) for c in patched])
        return Batch(logits, output.flatten(1) - self._lowest, float(GROUPS)), distance

    def counterfactual(
        self,
        values: dict[str, Tensor],
        others: dict[str, Tensor],
        edges: Int[Tensor, " group"],
        active: Bool[Tensor, " group"],
    ) -> tuple[Int[Tensor, "network group row"], dict[str, Tensor]]:
        """The output (and all variables) when each group's edge, where it is active, shows its child the parent's other value."""
        program, model = self.program, self.program.model
        carried = self.carried
        run: dict[str, Tensor] = {}
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
                    where = active & torch.isin(edges, torch.tensor(numbers))
                    where = where.view(1, -1, 1, *[1] * (values[parent].dim() - 2))
                    mine = torch.where(where, others[parent][:, None], mine)
                arguments[parent] = mine
            run[name] = evaluate(variable.function, arguments, model.kinds)
        output = run[model.output].long()
        # An output that one node writes passes to the reader as it is.
        for i, pairs in enumerate(carried):
            if (model.output, model.output) in pairs:
                where = (active & (edges == i)).view(1, -1, 1)
                output = torch.where(where, others[model.output].long()[:, None], output)
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
        last = self.layout.config.n_positions - 1
        for step in self.program.steps:
            low, _ = bounds(self.program.model.kinds[step.variable]) or (0, 0)
            index = values[step.variable].long() - low
            code = step.code
            if step.everywhere:
                wanted = code[torch.arange(index.shape[-1]) if code.shape[0] > 1 else 0, index]
            else:
                wanted = code[0, index][..., None, :]
            for k, column in enumerate(self.layout.writers[step.variable].tolist()):
                out = columns[column][k]
                target = wanted[k]
                if not step.everywhere:
                    out = out[..., -1:, :]
                elif out.shape[-2] <= last:
                    target = target[..., -1:, :]
                written = out @ self.bases[k][:, spans[step.variable]]
                distances.append((written - target).square().mean())
        return torch.stack(distances).view(len(self.program.steps), -1)

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
