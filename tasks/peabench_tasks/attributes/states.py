"""What is there in the inputs of a task, as levels of variables: drawn, moved, and asked about.

A variable's level is its value counted from the lowest. Features and atoms are looked up by the level of their
variable, so that an input and one whose variables were set are the same kind of thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.mechanism import Boolean, evaluate
from peabench.mechanism.kinds import Kind, bounds, dtype
from peabench_tasks.attributes.lexicon import Lexicon
from peabench_tasks.attributes.mechanism import causal_model
from peabench_tasks.attributes.queries import OPERATIONS, Query

BANK = 32_768
"""Inputs of a task that states are drawn from."""


@dataclass(frozen=True)
class States:
    """Inputs of a task, and what the levels of their variables mean."""

    bank: Int[Tensor, "row variable"]
    """Levels of all variables in inputs drawn from the domain."""
    n_levels: Int[Tensor, " variable"]
    feature_owner: Int[Tensor, " feature"]
    firing: Float[Tensor, "feature level"]
    """How strongly a feature fires at each level of its variable."""
    atom_owner: Int[Tensor, " atom"]
    counts: Float[Tensor, "atom level"]
    group: Float[Tensor, "query atom"]
    other: Float[Tensor, "query atom"]
    operation: Int[Tensor, " query"]
    about: Bool[Tensor, "query variable"]
    """Which variables a query is about."""

    @classmethod
    def of(cls, lexicon: Lexicon, queries: Sequence[Query], generator: torch.Generator) -> "States":
        """The states of a task."""
        model = causal_model(lexicon, queries)
        inputs = lexicon.domain(len(queries)).sample(BANK, generator)
        values = model.run(model.read_inputs(inputs))
        carriers = lexicon.carriers
        limits = [_bounds(model.kinds[name]) for name in carriers]
        number = {name: i for i, name in enumerate(carriers)}
        owners = [[number[item.variable] for item in items] for items in (lexicon.attributes, lexicon.atoms)]
        levels = max(high - low + 1 for low, high in limits)
        tables = []
        for items, expressions in (
            (owners[0], [attribute.activation for attribute in lexicon.attributes]),
            (owners[1], [atom.count for atom in lexicon.atoms]),
        ):
            table = torch.zeros(len(items), levels)
            for row, (owner, expression) in enumerate(zip(items, expressions, strict=True)):
                low, high = limits[owner]
                name = carriers[owner]
                every = torch.arange(low, high + 1).to(dtype(model.kinds[name]))
                table[row, : high - low + 1] = evaluate(expression, {name: every}, model.kinds).float()
            tables.append(table)
        groups = torch.zeros(2, len(queries), len(lexicon.atoms))
        for i, query in enumerate(queries):
            groups[0, i, list(query.group)] = 1
            groups[1, i, list(query.other)] = 1
        owner_of_atom = torch.tensor(owners[1])
        about = torch.zeros(len(queries), len(carriers)).index_add_(1, owner_of_atom, groups.sum(0)) > 0
        return cls(
            bank=torch.stack([values[name].long() - low for name, (low, _) in zip(carriers, limits, strict=True)], 1),
            n_levels=torch.tensor([high - low + 1 for low, high in limits]),
            feature_owner=torch.tensor(owners[0]),
            firing=tables[0],
            atom_owner=owner_of_atom,
            counts=tables[1],
            group=groups[0],
            other=groups[1],
            operation=torch.tensor([OPERATIONS.index(query.operation) for query in queries]),
            about=about,
        )

    def features(self, levels: Int[Tensor, "row variable"]) -> Float[Tensor, "row feature"]:
        """How strongly each feature fires."""
        return _looked_up(self.firing, self.feature_owner, levels)

    def answers(self, levels: Int[Tensor, "row variable"], query: Int[Tensor, " row"]) -> Bool[Tensor, " row"]:
        """What the causal model answers."""
        counts = _looked_up(self.counts, self.atom_owner, levels)
        there, others = ((counts @ groups.T).gather(1, query[:, None])[:, 0] for groups in (self.group, self.other))
        outcomes = {"any": there >= 1, "both": (there >= 1) & (others >= 1), "more": there > others}
        stacked = torch.stack([outcomes[operation] for operation in OPERATIONS])
        chosen: Tensor = stacked.gather(0, self.operation[query][None])[0]
        return chosen

    def draw(self, rows: int, generator: torch.Generator) -> tuple[Int[Tensor, "row variable"], Int[Tensor, " row"]]:
        """States that a certificate looks at, and queries: a tenth as they are, six tenths with one variable set to
        any of its levels, the others with several set to what they are in inputs of their own.

        Half of the queries are about a variable that was set, or any of them where several were.
        """
        bank, variables = self.bank.shape
        levels = self.bank[torch.randint(bank, (rows,), generator=generator)]
        variable = torch.randint(variables, (rows,), generator=generator)
        set_one, set_several = slice(rows // 10, rows * 7 // 10), slice(rows * 7 // 10, rows)
        chosen = variable[set_one]
        level = (torch.rand(chosen.shape, generator=generator) * self.n_levels[chosen]).long()
        levels[set_one] = levels[set_one].scatter(1, chosen[:, None], level[:, None])
        base = levels[set_several]
        fraction = torch.rand(len(base), 1, generator=generator)
        several = torch.rand(base.shape, generator=generator) < fraction
        own = self.bank.gather(0, torch.randint(bank, base.shape, generator=generator))
        levels[set_several] = torch.where(several, own, base)
        about = self.about.T[variable]
        relevant = torch.rand(rows, 1, generator=generator) < 0.5
        eligible = torch.where(relevant & about.any(1, keepdim=True), about, True)
        query = torch.multinomial(eligible.float(), 1, generator=generator)[:, 0]
        return levels, query

    def loosened(
        self, features: Float[Tensor, "row feature"], generator: torch.Generator
    ) -> Float[Tensor, "row feature"]:
        """On half of the rows, features of variables that no query is about fire as in other rows, each in its own."""
        unused = ~self.about.any(0)[self.feature_owner]
        if not bool(unused.any()):
            return features
        elsewhere = features.gather(0, torch.randint(len(features), features.shape, generator=generator))
        half = torch.rand(len(features), 1, generator=generator) < 0.5
        return torch.where(half & unused, elsewhere, features)


def _bounds(kind: Kind) -> tuple[int, int]:
    limits = bounds(kind)
    if limits is None or isinstance(kind, Boolean):
        raise ValueError(f"expected variables of whole numbers, got {kind}")
    return limits


def _looked_up(
    table: Float[Tensor, "item level"], owner: Int[Tensor, " item"], levels: Int[Tensor, "row variable"]
) -> Float[Tensor, "row item"]:
    """Entries of a table by the levels of the items' owners."""
    found: Tensor = table.flatten()[levels[:, owner] + torch.arange(len(table)) * table.shape[1]]
    return found
