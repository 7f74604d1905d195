"""Random Boolean formulas: gates over literals, drawn until balanced and until every gate matters.

A `Formula` is what is to be planted: physical gates (one unit each) with at most `MAX_PARENTS` parents, and beside them
derived variables that no unit writes and that their reader computes (the majority of three copies, the exclusive or of
a share and its mask, one value of a count of which two units hold a bit each).
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from jaxtyping import Bool, Int

MAX_PARENTS = 5
OPERATIONS: dict[str, Callable[[Sequence[bool]], bool]] = {
    "and": all,
    "or": any,
    "xor": lambda bits: sum(bits) % 2 == 1,
    "implies": lambda bits: not bits[0] or bits[1],
    "majority": lambda bits: 2 * sum(bits) > len(bits),
    "exactly_1": lambda bits: sum(bits) == 1,
    "exactly_3": lambda bits: sum(bits) == 3,
    "select": lambda bits: bits[1] if bits[0] else bits[2],
    "parity_if": lambda bits: bits[0] and sum(bits[1:]) % 2 == 1,
}


@dataclass(frozen=True)
class Derived:
    """A variable that its reader computes from the outputs of several units."""

    name: str
    kind: str
    """`majority` (of three copies), `xor` (of a share and its mask) or `and` (of two bits of a count)."""
    literals: tuple[tuple[str, bool], ...]
    """(name, negated) of each part."""

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the parts."""
        return tuple(name for name, _ in self.literals)

    @property
    def signs(self) -> tuple[int, ...]:
        """With which sign each part enters the direction that holds the variable, the sum of the parts'.

        Copies always agree; the exclusive or of two signs is whether their sum is 0; a conjunction is its greatest sum.
        """
        return tuple(-1 if negated else 1 for _, negated in self.literals)

    def holds(self, bits: Sequence[bool]) -> bool:
        """What the reader sees."""
        return OPERATIONS[self.kind]([bit != negated for bit, (_, negated) in zip(bits, self.literals, strict=True)])


@dataclass(frozen=True)
class Gate:
    """One operation on literals; a literal is a name (an input, a gate or a derived variable), negated or not."""

    name: str
    operation: str
    literals: tuple[tuple[str, bool], ...]
    """(name, negated) of each operand."""


@dataclass(frozen=True)
class Formula:
    """Gates in topological order, the last one being the output."""

    n_inputs: int
    gates: tuple[Gate, ...]
    derived: tuple[Derived, ...] = ()
    focus: tuple[str, ...] = ()
    """Variables that make the formula hard; they are always asked about."""
    read: dict[str, tuple[str, ...]] = field(init=False, compare=False, repr=False, default_factory=dict)
    """Physical parents (inputs and gates) of each gate, derived variables looked through."""

    def __post_init__(self) -> None:
        through = {d.name: d.parents for d in self.derived}
        for gate in self.gates:
            names = itertools.chain.from_iterable(through.get(name, (name,)) for name, _ in gate.literals)
            self.read[gate.name] = tuple(dict.fromkeys(names))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all inputs, distractors included."""
        return tuple(f"x{i}" for i in range(self.n_inputs))

    @property
    def used_inputs(self) -> tuple[str, ...]:
        """Inputs that some gate reads."""
        read = {name for parents in self.read.values() for name in parents}
        return tuple(name for name in self.inputs if name in read)

    def table(self, gate: Gate) -> Bool[np.ndarray, " assignment"]:
        """The gate's value for each assignment of its physical parents; parent j is bit j of the assignment."""
        parents = self.read[gate.name]
        derived = {d.name: d for d in self.derived}
        rows = np.zeros(2**MAX_PARENTS, dtype=bool)
        for assignment in range(2**MAX_PARENTS):
            value = {name: bool(assignment >> j & 1) for j, name in enumerate(parents)}

            def look(name: str, value: dict[str, bool] = value) -> bool:
                if name in derived:
                    return derived[name].holds([value[p] for p in derived[name].parents])
                return value[name]

            rows[assignment] = OPERATIONS[gate.operation]([look(name) != negated for name, negated in gate.literals])
        return rows

    def run(
        self,
        inputs: Bool[np.ndarray, "row input"],
        set_values: dict[str, Bool[np.ndarray, " row"]] | None = None,
        flipped: tuple[str, str] | None = None,
    ) -> dict[str, Bool[np.ndarray, " row"]]:
        """Every input's and gate's value on each row, with some variables set; one gate may see a parent flipped."""
        set_values = set_values or {}
        values = {name: set_values.get(name, inputs[:, i]) for i, name in enumerate(self.inputs)}
        for gate in self.gates:
            at: Int[np.ndarray, " row"] = np.zeros(len(inputs), dtype=np.int64)
            for j, parent in enumerate(self.read[gate.name]):
                seen = values[parent] ^ ((gate.name, parent) == flipped)
                at = at + (seen.astype(np.int64) << j)
            values[gate.name] = set_values.get(gate.name, self.table(gate)[at])
        return values

    def depth(self) -> dict[str, int]:
        """Longest path from an input to each gate."""
        depth: dict[str, int] = {}
        for gate in self.gates:
            depth[gate.name] = 1 + max(depth.get(p, 0) for p in self.read[gate.name])
        return depth

    def influence(self, inputs: Bool[np.ndarray, "row input"]) -> dict[str, float]:
        """Share of the inputs on which flipping the variable flips the output."""
        plain = self.run(inputs)
        out = self.gates[-1].name
        names = [*self.used_inputs, *(g.name for g in self.gates)]
        return {name: float((self.run(inputs, {name: ~plain[name]})[out] != plain[out]).mean()) for name in names}


def all_inputs(n_inputs: int) -> Bool[np.ndarray, "row input"]:
    """Every assignment; input i is the i-th most significant bit of the row number."""
    rows = np.arange(2**n_inputs)
    return (rows[:, None] >> np.arange(n_inputs - 1, -1, -1) & 1).astype(bool)


@dataclass(frozen=True)
class Shape:
    """How big a formula is."""

    n_gates: int
    n_inputs: int
    n_distractors: int
    min_depth: int
    max_depth: int


def _random_gate(rng: Random, name: str, operands: Sequence[str]) -> Gate:
    operation = "majority" if len(operands) == 3 else rng.choice(["and", "or", "xor", "implies", "and", "or"])
    return Gate(name, operation, tuple((operand, rng.random() < 0.3) for operand in operands))


def _grow(rng: Random, leaves: list[str], n_gates: int, first_gate: int, depth: dict[str, int]) -> list[Gate]:
    """A random tree of so many gates over the leaves (each used at least once where the count allows)."""
    arities = [3 if rng.random() < 0.2 else 2 for _ in range(n_gates)]
    needed = 1 + sum(a - 1 for a in arities)
    pool = list(leaves)
    while len(pool) < needed:
        pool.append(rng.choice([leaf for leaf in leaves if leaf.startswith("x")]))
    pool = pool[:needed] if len(pool) > needed else pool
    rng.shuffle(pool)
    gates: list[Gate] = []
    for i, arity in enumerate(arities):
        if rng.random() < 0.6:
            pool.sort(key=lambda name: depth.get(name, 0))
        operands = [pool.pop(0) for _ in range(arity)]
        gate = _random_gate(rng, f"g{first_gate + i}", operands)
        depth[gate.name] = 1 + max(depth.get(o, 0) for o in operands)
        gates.append(gate)
        pool.append(gate.name)
        if rng.random() < 0.5:
            rng.shuffle(pool)
    return gates


def _special(variant: str, rng: Random, free: list[str]) -> tuple[list[Gate], list[Derived], str, tuple[str, ...]]:
    """The hard part of a variant: its gates, derived variables, the name under which the rest reads it, its focus."""

    def take(count: int) -> list[str]:
        return [free.pop() for _ in range(count)]

    def literal(name: str) -> tuple[str, bool]:
        return name, rng.random() < 0.5

    if variant == "redundant":
        original = _random_gate(rng, "g0a", take(2))
        copies = [replace(original, name=f"g0{letter}") for letter in "abc"]
        return copies, [Derived("g0", "majority", tuple((c.name, False) for c in copies))], "g0", ("g0",)
    if variant == "cancelling":
        mask, hidden = take(2)
        share = Gate("share", "xor", (literal(hidden), (mask, False)))
        return [share], [Derived("secret", "xor", (("share", False), (mask, False)))], "secret", ("secret",)
    if variant == "split":
        operands = tuple((name, False) for name in take(3))
        bits = [Gate("carry", "majority", operands), Gate("parity", "xor", operands)]
        one = rng.random() < 0.5
        exactly = Derived("exactly", "and", (("carry", one), ("parity", not one)))
        return bits, [exactly], "exactly", ("exactly",)
    if variant == "rare":
        decider = _random_gate(rng, "rare", take(2))
        guard = Gate("guard", "and", tuple(literal(name) for name in take(5)))
        both = Gate("both", "and", (("rare", False), ("guard", False), literal(take(1)[0])))
        return [decider, guard, both], [], "both", ("rare",)
    return [], [], "", ()


def draw_formula(variant: str, shape: Shape, seed: int) -> Formula:
    """A random formula of this variant and size: balanced output, every gate able to change the output.

    The search is deterministic in (variant, shape, seed).
    """
    rng = Random(f"{variant}/{shape}/{seed}")
    inputs = all_inputs(min(shape.n_inputs, 12))
    if shape.n_inputs > 12:
        inputs = np.random.default_rng(seed).integers(0, 2, (4096, shape.n_inputs)).astype(bool)
    for _ in range(200_000):
        used = [f"x{i}" for i in range(shape.n_inputs)]
        rng.shuffle(used)
        used = used[shape.n_distractors :]
        free = list(used)
        gates, derived, handle, focus = _special(variant, rng, free)
        rest = shape.n_gates - max(1, len(gates) if variant != "redundant" else 1) * bool(gates)
        depth: dict[str, int] = {}
        for gate in gates:
            depth[gate.name] = 1 + max(depth.get(name, 0) for name, _ in gate.literals)
        if handle:
            depth[handle] = max(depth[g.name] for g in gates)
        leaves = [handle] * bool(handle) + (free if len(free) > 0 else list(used))
        grown = _grow(rng, leaves, rest, 1, depth)
        formula = Formula(shape.n_inputs, (*gates, *grown), tuple(derived), focus)
        if _acceptable(formula, variant, shape, inputs, handle):
            return formula
    raise RuntimeError(f"no {variant} formula found for {shape}")


def _acceptable(
    formula: Formula, variant: str, shape: Shape, inputs: Bool[np.ndarray, "row input"], handle: str
) -> bool:
    read = {name for parents in formula.read.values() for name in parents}
    names = [g.name for g in formula.gates]
    if any(name not in read for name in names[:-1]) or any(len(p) > MAX_PARENTS for p in formula.read.values()):
        return False
    if any(len({name for name, _ in gate.literals}) < len(gate.literals) for gate in formula.gates):
        return False
    if not shape.min_depth <= formula.depth()[names[-1]] <= shape.max_depth:
        return False
    plain = formula.run(inputs)
    if not 0.3 < plain[names[-1]].mean() < 0.7:
        return False
    influence = formula.influence(inputs)
    copies = {"g0a", "g0b", "g0c"} if variant == "redundant" else set()
    rare = {"rare", "guard", "both"} if variant == "rare" else set()
    floor = 0.04 if shape.n_gates > 8 else 0.06
    if any(influence[name] < floor for name in names if name not in copies | rare):
        return False
    if variant == "rare" and not 0.006 <= influence["rare"] <= 0.02:
        return False
    if copies:
        together = {c: ~plain[c] for c in copies}
        if (formula.run(inputs, together)[names[-1]] != plain[names[-1]]).mean() < floor:
            return False
    for gate in formula.gates:
        for parent in formula.read[gate.name]:
            if not {gate.name, parent} & copies:
                flipped = formula.run(inputs, flipped=(gate.name, parent))[names[-1]]
                if not (flipped != plain[names[-1]]).any():
                    return False
    through_rare = {n for g in ("rare", "guard", "both") if g in formula.read for n in formula.read[g]}
    masks = {name for derived in formula.derived if derived.kind == "xor" for name in derived.parents}
    used = [n for n in formula.used_inputs if n not in masks]
    return all(influence[name] >= (0 if name in through_rare else 0.02) for name in used) and all(
        influence[name] > 0 for name in used
    )
