"""Edge-level planting of programs in transformers (design, section 4), for several placements of one program at once.

Each step asks of random rows: the task itself; the causal model's counterfactual when one circuit edge, and no other,
carries what its node wrote for another input, alone and with the complement of the circuit resampled from a third; no
change under joint resampling of the complement or a random part of it; and what each node of the circuit should write.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from peabench.mechanism.kinds import bounds
from peabench.training.stacked_transformer import StackedTransformer
from peabench_tasks.planting.codes import distances_from_codes, intrusion
from peabench_tasks.planting.counterfactuals import counterfactual
from peabench_tasks.planting.layout import Layout
from peabench_tasks.planting.program import Program
from peabench_tasks.planting.runs import Patch, Run, run_stack
from peabench_tasks.planting.subspaces import subspaces

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
    halves: list[Float[Tensor, "network head"]] = field(default_factory=list, init=False)
    """Which of the other heads are summed in `rest0`."""

    def __post_init__(self) -> None:
        self.split()

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
        written = self._distances(values, clean.columns) + EDGE_GROUPS * distance + self._intruding(clean.columns)
        return [Batch(clean.logits, truth, 1.0), *patched], tutoring * written.sum()

    @property
    def lowest(self) -> int:
        """The output's least value, which is class 0."""
        low, _ = bounds(self.program.model.kinds[self.program.model.output]) or (0, 0)
        return low

    def run(self, tokens: Int[Tensor, "network row column"], patch: Patch | None = None) -> Run:
        """A run of all networks."""
        return run_stack(self.stack, self.layout, self.halves, tokens, patch)

    def split(self) -> None:
        """Draw anew which half of the other heads each head belongs to."""
        self.halves = [
            (torch.rand(len(self.bases), self.layout.config.n_heads - slots, generator=self.generator) < 0.5).float()
            for slots in self.layout.slots
        ]

    def _patched(self, tokens: Tensor, values: dict[str, Tensor], clean: Run) -> tuple[list[Batch], Tensor]:
        """Groups of rows with one edge patched, with the complement of the circuit resampled, both, or subspaces
        interchanged; and the distances of what is written in the former from what should be.
        """
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
        output, seen = counterfactual(self.program, values, others, picked, with_edge, chosen)
        truth = output.flatten(1) - self.lowest
        kept = EDGE_GROUPS * rows
        edges = {
            s.variable: seen[s.variable]
            .expand(networks, GROUPS, rows, *seen[s.variable].shape[3:])
            .flatten(1, 2)[:, :kept]
            for s in self.program.steps
        }
        distance = self._distances(edges, [c.unflatten(0, (networks, -1)).flatten(1, 2)[:, :kept] for c in run.columns])
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
                count = (
                    1 if group == EDGE_GROUPS else 1 + int(torch.randint(0, len(placed), (), generator=self.generator))
                )
                for v in (placed[i] for i in order[:count]):
                    step = steps[v]
                    source, which = torch.randint(0, 1 << 20, (2,), generator=self.generator).tolist()
                    sites = self.sites[k][step.variable]
                    site = sites[which % len(sites)]
                    at = slice(None) if step.everywhere else slice(-1, None)
                    chosen[source % 2, k, group, v] = True
                    select[source % 2, k, group, site, at, spans[step.variable]] = 1
        return chosen, select

    def _intruding(self, columns: list[Tensor]) -> Float[Tensor, " network"]:
        return intrusion(self.program, self.layout, self.bases, columns)

    def _distances(self, values: dict[str, Tensor], columns: list[Tensor]) -> Float[Tensor, "step network"]:
        return distances_from_codes(self.program, self.layout, self.bases, values, columns)

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
