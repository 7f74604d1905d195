"""What is there in inputs of several tasks at once, as levels of variables: drawn, moved, and asked about.

A variable's level is its value counted from the lowest. Features and atoms are looked up by the level of their
variable, so that an input and one whose variables were set are the same kind of thing. Networks are a leading axis;
those with fewer variables, features or atoms have idle ones in the end.
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
"""Inputs of each task that states are drawn from."""


@dataclass(frozen=True)
class States:
    """Inputs of several tasks, and what the levels of their variables mean."""

    bank: Int[Tensor, "network row variable"]
    """Levels of all variables in inputs drawn from each domain."""
    n_levels: Int[Tensor, "network variable"]
    n_variables: Int[Tensor, " network"]
    feature_owner: Int[Tensor, "network feature"]
    firing: Float[Tensor, "network feature level"]
    """How strongly a feature fires at each level of its variable."""
    atom_owner: Int[Tensor, "network atom"]
    counts: Float[Tensor, "network atom level"]
    group: Float[Tensor, "network query atom"]
    other: Float[Tensor, "network query atom"]
    operation: Int[Tensor, " query"]
    about: Bool[Tensor, "network query variable"]
    """Which variables a query is about."""

    @classmethod
    def of(cls, tasks: Sequence[tuple[Lexicon, Sequence[Query]]], generator: torch.Generator) -> "States":
        """The states of tasks with equally many queries."""
        singles = [_single(lexicon, queries, generator) for lexicon, queries in tasks]
        fields = {name: _padded([getattr(single, name) for single in singles]) for name in cls.__dataclass_fields__}
        fields["operation"] = singles[0].operation
        return cls(**fields)

    def features(self, levels: Int[Tensor, "network row variable"]) -> Float[Tensor, "network row feature"]:
        """How strongly each feature fires."""
        return _looked_up(self.firing, self.feature_owner, levels)

    def answers(
        self, levels: Int[Tensor, "network row variable"], query: Int[Tensor, "network row"]
    ) -> Bool[Tensor, "network row"]:
        """What the causal model answers."""
        counts = _looked_up(self.counts, self.atom_owner, levels)
        there, others = (
            torch.bmm(counts, groups.transpose(1, 2)).gather(2, query[..., None])[..., 0]
            for groups in (self.group, self.other)
        )
        outcomes = {"any": there >= 1, "both": (there >= 1) & (others >= 1), "more": there > others}
        stacked = torch.stack([outcomes[operation] for operation in OPERATIONS])
        chosen: Tensor = stacked.gather(0, self.operation[query][None])[0]
        return chosen

    def draw(
        self, rows: int, generator: torch.Generator
    ) -> tuple[Int[Tensor, "network row variable"], Int[Tensor, "network row"]]:
        """States that a certificate looks at, and queries: a tenth as they are, six tenths with one variable set to
        any of its levels, the others with several set to what they are in inputs of their own.

        Half of the queries are about a variable that was set, or any of them where several were.
        """
        networks, bank = self.bank.shape[:2]
        levels = self._inputs(rows, generator)
        variable = (torch.rand(networks, rows, generator=generator) * self.n_variables[:, None]).long()
        set_one, set_several = slice(rows // 10, rows * 7 // 10), slice(rows * 7 // 10, rows)
        chosen = variable[:, set_one]
        most = self.n_levels.gather(1, chosen)
        level = (torch.rand(chosen.shape, generator=generator) * most).long()
        levels[:, set_one] = levels[:, set_one].scatter(2, chosen[..., None], level[..., None])
        base = levels[:, set_several]
        fraction = torch.rand(*base.shape[:2], 1, generator=generator)
        several = torch.rand(base.shape, generator=generator) < fraction
        own = self.bank.gather(1, torch.randint(bank, base.shape, generator=generator))
        levels[:, set_several] = torch.where(several, own, base)
        weights = self.about.float().transpose(1, 2).gather(1, variable[..., None].expand(-1, -1, self.about.shape[1]))
        relevant = torch.rand(networks, rows, 1, generator=generator) < 0.5
        weights = torch.where(relevant & weights.any(2, keepdim=True), weights, torch.ones(()))
        query = torch.multinomial(weights.flatten(0, 1), 1, generator=generator).view(networks, rows)
        return levels, query

    def loosened(
        self, features: Float[Tensor, "network row feature"], generator: torch.Generator
    ) -> Float[Tensor, "network row feature"]:
        """On half of the rows, features of variables that no query is about fire as in other rows, each in its own."""
        unused = ~self.about.any(1).gather(1, self.feature_owner)
        if not bool(unused.any()):
            return features
        rows = features.shape[1]
        elsewhere = features.gather(1, torch.randint(rows, features.shape, generator=generator))
        half = torch.rand(len(features), rows, 1, generator=generator) < 0.5
        return torch.where(half & unused[:, None], elsewhere, features)

    def _inputs(self, rows: int, generator: torch.Generator) -> Int[Tensor, "network row variable"]:
        networks, bank, variables = self.bank.shape
        chosen = torch.randint(bank, (networks, rows, 1), generator=generator)
        return self.bank.gather(1, chosen.expand(-1, -1, variables))

    def subset(self, index: Sequence[int]) -> "States":
        """Some of the tasks."""
        kept = {name: getattr(self, name)[list(index)] for name in self.__dataclass_fields__ if name != "operation"}
        return States(**kept, operation=self.operation)


def _single(lexicon: Lexicon, queries: Sequence[Query], generator: torch.Generator) -> States:
    """The states of one task, without a network axis."""
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
    return States(
        bank=torch.stack([values[name].long() - low for name, (low, _) in zip(carriers, limits, strict=True)], 1),
        n_levels=torch.tensor([high - low + 1 for low, high in limits]),
        n_variables=torch.tensor(len(carriers)),
        feature_owner=torch.tensor(owners[0]),
        firing=tables[0],
        atom_owner=owner_of_atom,
        counts=tables[1],
        group=groups[0],
        other=groups[1],
        operation=torch.tensor([OPERATIONS.index(query.operation) for query in queries]),
        about=about,
    )


def _bounds(kind: Kind) -> tuple[int, int]:
    limits = bounds(kind)
    if limits is None or isinstance(kind, Boolean):
        raise ValueError(f"expected variables of whole numbers, got {kind}")
    return limits


def _looked_up(
    table: Float[Tensor, "network item level"],
    owner: Int[Tensor, "network item"],
    levels: Int[Tensor, "network row variable"],
) -> Float[Tensor, "network row item"]:
    """Entries of a table by the levels of the items' owners."""
    level = levels.gather(2, owner[:, None].expand(-1, levels.shape[1], -1))
    found: Tensor = (
        table.flatten(1).gather(1, (level + torch.arange(table.shape[1]) * table.shape[2]).flatten(1)).view(level.shape)
    )
    return found


def _padded(parts: Sequence[Tensor]) -> Tensor:
    """Stacked, all brought to the largest size by zeros at the end of each axis."""
    shape = [max(sizes) for sizes in zip(*(part.shape for part in parts), strict=True)]
    whole = parts[0].new_zeros(len(parts), *shape)
    for row, part in zip(whole, parts, strict=True):
        row[tuple(slice(0, size) for size in part.shape)] = part
    return whole
