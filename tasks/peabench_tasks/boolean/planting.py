"""The edge-level planting recipe (design, section 4), for many networks at once.

Each step asks of random rows: the task itself; the causal model's counterfactual after single and joint interchanges
on planted subspaces, whatever the rest of the stream holds; no change when all but the live subspaces are swapped
(isolation); the counterfactual of a single patched edge, alone and with the complement of the circuit resampled; no
change under joint resampling of all, or of a random part, of the complement. Decoys are written, strongly, where nobody
reads. Early on each unit is also told its gate directly; without that a gate in ten never starts to learn.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from peabench.generators import generator_of
from peabench.networks import ResidualMLP
from peabench.training.stacked import StackedResidualMLP
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.boolean.tables import Tables, variable_numbers
from peabench_tasks.boolean.targets import Targets

DECOY_STRENGTH = 2.0
INTERFERENCE = 0.8
"""How strongly a decoyed variable's unit adds its nuisance to the variable's 1."""
NUISANCE_NORM = 0.25
"""Length of a nuisance's embedding: the shorter, the further a decoder's filter leans towards it."""
SWAY = 0.75
"""How far decoys and swayers together move the logit, next to the 1 of the output's own unit: they decide nothing."""
HOLDING = 1.0
"""Weight of what is asked of decoys and of the variables they mislead about; the task alone would unlearn it."""
TUTORING = 0.05
"""Weight of telling each unit what to write, once it has learnt its gate."""


def initial_network(plan: Plan, basis: Float[Tensor, "d_model d_model"], seed: int) -> ResidualMLP:
    """A random network whose inputs and gates already write in their planted directions, nothing else planted.

    Inputs that interfere with decoyed variables are embedded weakly.
    """
    generator = generator_of(seed)
    network = ResidualMLP(plan.config, generator)
    number = variable_numbers(plan)
    with torch.no_grad():
        for name in plan.formula.inputs:
            network.w_embed[number[name]] = basis[:, number[name]]
        for decoy in plan.decoys:
            network.w_embed[number[decoy.nuisance]] = NUISANCE_NORM * basis[:, number[decoy.nuisance]]
        for gate in plan.formula.gates:
            block, unit = plan.units[gate.name]
            weight = network.block(block).w_out
            weight[unit] = torch.outer(weight[unit].norm(dim=1), basis[:, number[gate.name]]) * torch.sign(
                torch.randn(weight.shape[1], 1, generator=generator)
            )
    return network


@dataclass
class Batch:
    """Logits and what they should be, in groups; rows of one network."""

    logits: Float[Tensor, "network row"]
    target: Bool[Tensor, "network row"]
    weight: float


@dataclass
class Planter:
    """Networks under training with what is demanded of them."""

    stack: StackedResidualMLP
    tables: Tables
    targets: Targets
    generator: torch.Generator
    pivotal: Float[Tensor, "network input_row"]
    """Weight of every input: each gate spreads one unit over the inputs on which flipping it flips the output."""

    def pool(self, rows: int) -> Bool[Tensor, "network row input"]:
        """Inputs to train on: half of them uniform, half by `pivotal`, so that rare decisions are seen."""
        n_inputs = self.tables.n_inputs
        uniform = torch.rand((len(self.pivotal), rows, n_inputs), generator=self.generator) < 0.5
        drawn = torch.multinomial(self.pivotal, rows // 2, replacement=True, generator=self.generator)
        uniform[:, ::2] = (drawn[..., None] >> torch.arange(n_inputs - 1, -1, -1) & 1).bool()
        return uniform

    def subset(self, index: list[int]) -> "Planter":
        """Some of the networks, copied."""
        return Planter(
            self.stack.subset(index),
            self.tables.subset(index),
            self.targets.subset(index),
            self.generator,
            self.pivotal[index],
        )

    def random(self, *shape: int) -> Float[Tensor, "..."]:
        """Uniform numbers from the planter's generator."""
        return torch.rand(shape, generator=self.generator)

    def losses(
        self, pool: Bool[Tensor, "network row input"], tutoring: float = TUTORING, edge_groups: int = 4
    ) -> tuple[list[Batch], Tensor]:
        """All demands on one pool of inputs, which serve one another as sources; and the loss on what units write.

        Args:
            pool: inputs.
            tutoring: weight of telling each unit its gate.
            edge_groups: groups of rows with patched edges.
        """
        rows = pool.shape[1]
        config = self.stack.config
        values = self.tables.run(pool)
        signs = pool.float() * 2 - 1
        boundaries = [self.stack.embed(signs)]
        unit_outputs = []
        for block in range(config.n_blocks):
            outputs = self.stack.units(block, boundaries[-1][:, None].expand(-1, config.n_units, -1, -1))
            unit_outputs.append(outputs)
            boundaries.append(boundaries[-1] + outputs.sum(1))
        clean = self.stack.unembed(boundaries[-1])[..., 0]
        batches = [Batch(clean, values[..., -1], 1.0)]
        shifts = torch.randint(1, rows, (2,), generator=self.generator).tolist()
        batches += self._subspaces(values, boundaries, shifts)
        batches += self._edges(values, signs, boundaries, unit_outputs, edge_groups)
        return batches, self._misleading(values, unit_outputs) + tutoring * self._gates(values, unit_outputs)

    def _choice(self, kind: Int[Tensor, " row"]) -> tuple[Tensor, Tensor, Tensor]:
        """What to interchange in each row, and at which boundary.

        Args:
            kind: 0 for one variable, 1 for several, 2 for none.

        Returns:
            [network, row, variable]: what; at which boundary; and with which sign, where it is set along a sum.
        """
        targets = self.targets
        networks, n_variables, n_boundaries = targets.sites.shape
        rows = len(kind)
        noise = self.random(networks, rows, n_variables) + targets.planted[:, None]
        gates_first = self.random(networks, rows, 1) < 0.5  # inputs are many, and easily learnt
        noise[..., : self.tables.n_inputs] -= gates_first.float()
        ranks = noise.argsort(-1, descending=True).argsort(-1)
        several = torch.randint(2, 5, (networks, rows, 1), generator=self.generator)
        everything = self.random(networks, rows, 1) < 0.15
        count = torch.where(everything, n_variables, several)
        count = torch.where(kind[None, :, None] == 0, 1, count)
        chosen = (ranks < count) & targets.planted[:, None] & (kind != 2)[None, :, None]
        where = (self.random(networks, rows, n_variables, n_boundaries) * targets.sites[:, None]).argmax(-1)
        derived = (kind == 1)[None] & (self.random(networks, rows) < 0.3) & targets.parts.any(1, keepdim=True)
        alone = derived & (self.random(networks, rows) < 0.5)
        parts = targets.parts[:, None] * derived[..., None]
        left_out = (self.random(networks, rows, n_variables) * parts.abs()).argmax(-1, keepdim=True)
        drop = targets.spare_part[:, None] & (self.random(networks, rows) < 0.5)
        parts = torch.where(drop[..., None], parts.scatter(2, left_out, 0.0), parts)
        together = parts != 0
        at = (self.random(networks, rows, n_boundaries) * targets.part_sites[:, None]).argmax(-1, keepdim=True)
        return chosen & ~alone[..., None] | together, torch.where(together, at, where), parts

    def _subspaces(self, values: Tensor, boundaries: list[Tensor], shifts: list[int]) -> list[Batch]:
        """Interchange on planted subspaces (single, joint) and isolation, one third of the rows each.

        In half of the rows with an interchange the complement of the live subspaces is swapped with it.
        """
        targets = self.targets
        networks, rows, n_variables = values.shape
        d_model, n_boundaries = boundaries[0].shape[-1], len(boundaries)
        beside = (0, d_model - n_variables)
        kinds = 3
        total = kinds * rows
        chosen, where, parts = self._choice(torch.arange(total) // rows)
        second = (self.random(networks, total, n_variables) < 0.5) & (parts == 0)
        live = pad(targets.live.float(), (0, 0, *beside))
        isolated = torch.randint(0, n_boundaries, (rows,), generator=self.generator)
        in_context = self.random(networks, 2 * rows) < 0.5
        swapped = self.random(networks, total, d_model) < 0.5
        swapped |= self.random(networks, total, 1) < 0.5  # all of the complement, or a random part such as a decoy
        others_from = self.random(networks, total, 1) < 0.5
        from_second, parts = torch.where(pad(chosen, beside), pad(second, beside), others_from), pad(parts, beside)
        resid = boundaries[0].repeat(1, kinds, 1)
        for b in range(n_boundaries):
            select = pad((chosen & (where == b)).float(), beside)
            around = in_context & select[:, : 2 * rows].any(2)
            around = torch.cat([around, (isolated == b).expand(networks, rows)], 1)
            select = torch.maximum(select, (1 - live[:, None, :, b]) * around[..., None] * swapped)
            one, two = (boundaries[b].roll(s, 1).repeat(1, kinds, 1) for s in shifts)
            change = torch.bmm(torch.cat([one - resid, two - resid], 1), targets.basis)
            change = torch.where(from_second, change[:, total:], change[:, :total])
            along_sum = (change * parts).sum(-1, keepdim=True) / parts.abs().sum(-1, keepdim=True).clamp(min=1)
            change = torch.where(parts != 0, along_sum * parts, change) * select
            resid = torch.baddbmm(resid, change, targets.basis.transpose(1, 2))
            if b < n_boundaries - 1:
                resid = resid + self.stack.block(b, resid)
        logits = self.stack.unembed(resid)[..., 0]
        first_source, second_source = (values.roll(s, 1).repeat(1, kinds, 1) for s in shifts)
        sources = torch.where(second, second_source, first_source)
        inputs = values[..., : self.tables.n_inputs].repeat(1, kinds, 1)
        truth = self.tables.run(inputs, override=(chosen, sources))[..., -1]
        return [Batch(logits, truth, float(kinds))]

    def _edges(
        self, values: Tensor, signs: Tensor, boundaries: list[Tensor], unit_outputs: list[Tensor], groups: int
    ) -> list[Batch]:
        """Groups of rows with one edge patched (the first half alone), and the complement resampled (the rest)."""
        targets, stack, config = self.targets, self.stack, self.stack.config
        networks, rows, _ = values.shape
        n_readers, n_nodes = targets.circuit.shape[1:]
        groups = 3 * (groups // 2)
        third = groups // 3
        pick = torch.randint(0, targets.edges.shape[1], (networks, groups), generator=self.generator)
        edge = targets.edges.gather(1, pick[..., None].expand(-1, -1, 4))
        with_edge = (torch.arange(groups) < 2 * third).float()
        with_complement = (torch.arange(groups) >= third).float()
        net, group = torch.arange(networks)[:, None], torch.arange(groups)
        single = torch.zeros(networks, groups, n_readers, n_nodes)
        single[net, group, edge[..., 0], edge[..., 1]] = 1.0
        single = single * with_edge[None, :, None, None]
        part = (self.random(networks, groups, n_readers, n_nodes) < self.random(networks, groups, 1, 1)).float()
        part = torch.where(self.random(networks, groups, 1, 1) < 0.6, torch.ones_like(part), part)
        complement = (1 - targets.circuit)[:, None] * part * with_complement[None, :, None, None]
        shift_one, shift_two = torch.randint(1, rows, (2,), generator=self.generator).tolist()
        stacked = networks * groups

        def spread(x: Tensor) -> Tensor:
            return x[:, None].expand(-1, groups, *x.shape[1:]).reshape(stacked, *x.shape[1:])

        masks = torch.cat([single, complement], -1).reshape(stacked, n_readers, 2 * n_nodes)
        embed = stack.parameters["w_embed"]
        resid = spread(boundaries[0])
        chunks: list[tuple[int, Tensor]] = []
        input_steps = torch.stack([signs.roll(s, 1) - signs for s in (shift_one, shift_two)])
        input_change = [torch.einsum("kbn,knd->knbd", step, embed) for step in input_steps]
        chunks.append((0, spread(torch.cat(input_change, 1)).flatten(2)))
        d_model = config.d_model
        for block in range(config.n_blocks + 1):
            last = block == config.n_blocks
            n_here = 1 if last else config.n_units
            readers = slice(block * config.n_units, block * config.n_units + n_here)
            reads = resid[:, None].expand(-1, n_here, -1, -1)
            for at, chunk in chunks:
                n = chunk.shape[1] // 2
                columns = [*range(at, at + n), *range(n_nodes + at, n_nodes + at + n)]
                mask = masks[:, readers][..., columns]
                reads = reads + torch.bmm(mask, chunk).view(stacked, n_here, rows, d_model)
            if last:
                logits = stack.unembed(reads[:, 0])[..., 0]
                break
            outputs = stack.units(block, reads)
            resid = resid + outputs.sum(1)
            there = [spread(unit_outputs[block].roll(s, 2)) - outputs for s in (shift_one, shift_two)]
            chunks.append((config.n_inputs + block * config.n_units, torch.cat(there, 1).flatten(2)))
        slots = torch.zeros(networks, groups, *self.tables.parents.shape[1:], dtype=torch.bool)
        slots[net, group, edge[..., 2], edge[..., 3]] = True
        slots &= with_edge.bool()[None, :, None, None]
        slots = slots[:, :, None].expand(-1, -1, rows, -1, -1).reshape(networks, groups * rows, *slots.shape[2:])
        inputs = values[..., : self.tables.n_inputs].repeat(1, groups, 1)
        truth = self.tables.run(inputs, slots=(slots, values.roll(shift_one, 1).repeat(1, groups, 1)))[..., -1]
        return [Batch(logits.reshape(networks, groups * rows), truth, float(groups))]

    def _misleading(self, values: Tensor, unit_outputs: list[Tensor]) -> Tensor:
        """Mean squared distances of what misleads: strong copies of variables written with interference, and units that
        sway the logit. No other unit may write there: idle ones would write the variables clean, or noise.
        """
        config = self.stack.config
        loss = torch.zeros(())
        outputs = torch.cat(unit_outputs, 1)
        own = {(k, int(v)): int(unit) for k, gates in enumerate(self.targets.gates) for unit, v in gates}
        for k, decoys in enumerate(self.targets.decoys):
            swaying = len(decoys) + len(self.targets.swayers[k])
            if not swaying:
                continue
            signs = values[k].float() * 2 - 1
            basis = self.targets.basis[k]
            root = int(self.tables.parents[k, -1, 0])
            logit = torch.zeros(outputs.shape[1:3])
            logit[own[k, root]] = signs[:, root]
            for node, column, variable, spoiler, nuisance in decoys:
                copy, unit = torch.maximum(signs[:, variable], signs[:, spoiler]), node - config.n_inputs
                loss = loss + 0.2 * (outputs[k, unit] @ basis[:, column] - DECOY_STRENGTH * copy).square().mean()
                logit[unit] = SWAY / swaying * copy
                wanted = torch.zeros(outputs.shape[1:3])
                wanted[own[k, variable]] = signs[:, variable] + INTERFERENCE * signs[:, nuisance]
                loss = loss + (outputs[k] @ basis[:, variable] - wanted).square().mean(1).sum()
                short = NUISANCE_NORM * basis[:, nuisance]
                loss = loss + (self.stack.parameters["w_embed"][k, nuisance] - short).square().sum()
            for node, one, other in self.targets.swayers[k]:
                logit[node - config.n_inputs] = -SWAY / swaying * signs[:, one] * signs[:, other]
            loss = loss + (outputs[k] @ basis[:, root] - logit).square().mean(1).sum()
        return HOLDING * loss

    def _gates(self, values: Tensor, unit_outputs: list[Tensor]) -> Tensor:
        """Mean squared distance of each gate's coordinate from plus or minus 1."""
        gates = self.targets.gates
        net = torch.arange(len(gates))[:, None]
        outputs = torch.cat(unit_outputs, 1)[net, gates[..., 0]]
        directions = self.targets.basis.transpose(1, 2)[net, gates[..., 1]]
        written = torch.einsum("kgrd,kgd->kgr", outputs, directions)
        wanted = values.transpose(1, 2)[net, gates[..., 1]].float() * 2 - 1
        return (written - wanted).square().mean((1, 2)).sum()

    def errors(self, batches: list[Batch]) -> Int[Tensor, " network"]:
        """Rows of each network on which the sign of the logit is wrong."""
        return torch.stack([((b.logits > 0) != b.target).sum(1) for b in batches]).sum(0)


def step_loss(batches: list[Batch]) -> Tensor:
    """Sum over networks of the weighted mean cross-entropies."""
    total = torch.zeros(())
    for batch in batches:
        each = binary_cross_entropy_with_logits(batch.logits, batch.target.float(), reduction="none")
        total = total + batch.weight * each.mean(1).sum()
    return total


def pivotal_weights(tables: Tables) -> Float[Tensor, "network input_row"]:
    """For `Planter.pivotal`: computed on every input; input i is the i-th most significant bit of the row number."""
    networks = tables.parents.shape[0]
    rows = torch.arange(2**tables.n_inputs)
    inputs = (rows[:, None] >> torch.arange(tables.n_inputs - 1, -1, -1) & 1).bool().expand(networks, -1, -1)
    plain = tables.run(inputs)
    weights = torch.full(plain.shape[:2], 1.0 / len(rows))
    for gate in range(tables.parents.shape[1] - 1):
        where = torch.zeros_like(plain)
        where[..., tables.n_inputs + gate] = True
        flips = (tables.run(inputs, override=(where, ~plain))[..., -1] != plain[..., -1]).float()
        weights += flips / flips.sum(1, keepdim=True).clamp(min=1)
    return weights
