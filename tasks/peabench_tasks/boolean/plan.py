"""Where a formula goes in a network: which unit computes which gate, and in which direction it writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.boolean.formulas import Derived, Formula


@dataclass(frozen=True)
class Decoy:
    """What misleads about a variable: a strong copy that decides nothing, and interference in its own direction."""

    variable: str
    unit: tuple[int, int]
    """Where the copy is written."""
    spoiler: str
    """The copy is true where this input is, whatever the variable: on a quarter of the inputs it is wrong."""
    nuisance: str
    """A weakly embedded distractor that the variable's own unit adds to what it writes, not enough to change the sign.
    A decoder that wants the variable free of it leans towards the distractor's embedding, away from what is read
    (filter against pattern: Haufe et al. 2014, NeuroImage 87)."""


@dataclass(frozen=True)
class Swayer:
    """An idle unit that moves the logit by less than its margin: it changes confidence, never a decision."""

    unit: tuple[int, int]
    inputs: tuple[str, str]
    """It writes their exclusive or."""


@dataclass(frozen=True)
class Plan:
    """A formula placed in a network of a given shape."""

    formula: Formula
    config: ResidualMLPConfig
    units: dict[str, tuple[int, int]]
    """(block, unit) of each gate."""
    decoys: tuple[Decoy, ...] = ()
    swayers: tuple[Swayer, ...] = ()
    bystanders: tuple[str, ...] = ()
    """Gates that are computed and written, and that nobody reads but other bystanders."""
    strengths: Mapping[str, float] = field(default_factory=dict)
    """How strongly gates are to be written in the end, where it matters; they are planted with 1."""

    @property
    def core(self) -> Formula:
        """The formula without its bystanders: what decides."""
        if not self.bystanders:
            return self.formula
        return replace(self.formula, gates=tuple(g for g in self.formula.gates if g.name not in self.bystanders))

    def node(self, name: str) -> str:
        """Address of the node that writes an input or a gate."""
        if name in self.units:
            block, unit = self.units[name]
            return f"block{block}.unit{unit}"
        return f"input{name[1:]}"

    def node_number(self, name: str) -> int:
        """Index of that node in the network's graph."""
        if name in self.units:
            block, unit = self.units[name]
            return self.config.n_inputs + block * self.config.n_units + unit
        return int(name[1:])

    def readers(self, name: str) -> list[int]:
        """Blocks that read an input or a gate, ascending; the output counts as a block after the last."""
        formula = self.core
        blocks = [self.units[g.name][0] for g in formula.gates if name in formula.read[g.name]]
        if name == formula.gates[-1].name:
            blocks.append(self.config.n_blocks)
        return sorted(blocks)

    def written(self, name: str) -> int:
        """First `resid` index that holds the variable."""
        return self.units[name][0] + 1 if name in self.units else 0

    def sites(self, name: str) -> range:
        """`resid` indices at which all of the variable's readers still lie ahead."""
        return range(self.written(name), self.readers(name)[0] + 1)

    def derived_sites(self, derived: Derived) -> range:
        """`resid` indices at which all parts of a derived variable are written and its reader lies ahead."""
        gates = [g.name for g in self.formula.gates if any(name == derived.name for name, _ in g.literals)]
        first = max(self.written(name) for name in derived.parents)
        return range(first, min(self.units[gate][0] for gate in gates) + 1)

    def live(self, name: str) -> range:
        """`resid` indices at which some reader of the variable still lies ahead."""
        return range(self.written(name), self.readers(name)[-1] + 1)

    @property
    def variables(self) -> tuple[str, ...]:
        """Inputs and gates that have a direction of their own and a reader, in the order of the planted basis."""
        return (*self.core.used_inputs, *(g.name for g in self.core.gates))


def ancestors(formula: Formula, name: str) -> set[str]:
    """Everything that the variable's value depends on."""
    parents = set(formula.read.get(name, ()))
    return parents.union(*(ancestors(formula, parent) for parent in parents))


def draw_plan(formula: Formula, config: ResidualMLPConfig, seed: int, decoys: int = 0, swayers: int = 0) -> Plan:
    """Place each gate in a random free unit of a random block that lies after its parents and before its readers."""
    rng = Random(f"plan/{seed}/{formula.gates}")
    last = {formula.gates[-1].name: config.n_blocks - 1}
    for gate in reversed(formula.gates):
        for parent in formula.read[gate.name]:
            last[parent] = min(last.get(parent, config.n_blocks), last[gate.name] - 1)
    units: dict[str, tuple[int, int]] = {}
    free = {block: list(range(config.n_units)) for block in range(config.n_blocks)}
    for idle in free.values():
        rng.shuffle(idle)
    for gate in formula.gates:
        first = 1 + max((units[p][0] for p in formula.read[gate.name] if p in units), default=-1)
        blocks = [b for b in range(first, last[gate.name] + 1) if free[b]]
        if not blocks:
            raise RuntimeError(f"no free unit for {gate.name}")
        block = rng.choice(blocks)
        units[gate.name] = (block, free[block].pop())
    plan = Plan(formula, config, units)
    chosen: list[Decoy] = []
    candidates = [g.name for g in formula.gates[:-1]]
    rng.shuffle(candidates)
    for name in candidates:
        block = units[name][0]
        if len(chosen) < decoys and free[block]:
            above = ancestors(formula, name)
            spoiler = rng.choice([x for x in formula.used_inputs if x not in above])
            nuisance = rng.choice([x for x in formula.inputs if x not in formula.used_inputs])
            chosen.append(Decoy(name, (block, free[block].pop()), spoiler, nuisance))
    unused = [(block, unit) for block in free for unit in free[block]]
    rng.shuffle(unused)
    pairs = [rng.sample(formula.inputs, 2) for _ in range(swayers)]
    swaying = tuple(Swayer(unit, (one, other)) for unit, (one, other) in zip(unused, pairs, strict=False))
    return Plan(formula, config, plan.units, tuple(chosen), swaying)


def decoy_column(plan: Plan, index: int) -> int:
    """Column of a decoy's direction in the planted basis: decoys are numbered from its end."""
    return plan.config.d_model - 1 - index
