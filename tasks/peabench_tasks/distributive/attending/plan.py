"""Where the gates of a term go in a transformer: which block computes which, at which position it is taken, by whom.

A letter stands at its own position. Every head attends to one position, from wherever it is asked, and what it fetches
there stands at all later positions; neurons of the same block compute gates of what was fetched, at all positions too.
Each gate has a *home*, the one position at which its readers take it: those of the same home read it in the stream,
others have a head of their own block fetch it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from peabench.networks.config import TransformerConfig
from peabench_tasks.boolean.formulas import Formula, Gate
from peabench_tasks.ways.placement import STRONG, WEAK, inner
from peabench_tasks.ways.terms import Term, formula_of

OUTPUT = "output"


@dataclass(frozen=True)
class Fetch:
    """What one head brings from one position to all later ones."""

    block: int
    head: int
    variable: str
    position: int


@dataclass(frozen=True)
class Plan:
    """A term in a transformer, and beside it gates of a rival that nobody reads."""

    formula: Formula
    """Gates `g0`, `g1`, ... and `output` of the term, `b0`, `b1`, ... of the rival."""
    config: TransformerConfig
    blocks: dict[str, int]
    """Block whose neurons compute each gate."""
    homes: dict[str, int]
    """Position of each letter, and that at which each gate is taken."""
    fetches: tuple[Fetch, ...]
    """Those that some gate reads."""
    idle: tuple[Fetch, ...]
    """The other heads, what they bring being read by nobody."""
    strengths: dict[str, float]
    """How strongly gates are written, but for the output."""
    seed: int

    @property
    def core(self) -> Formula:
        """The term alone."""
        return Formula(self.formula.n_inputs, tuple(gate for gate in self.formula.gates if not bystander(gate.name)))

    @cached_property
    def fetched(self) -> dict[tuple[int, str], Fetch]:
        """By block and variable what is read there by way of a head."""
        return {(fetch.block, fetch.variable): fetch for fetch in self.fetches}

    def strength(self, name: str) -> float:
        """How strongly a variable is written; letters and the output at 1."""
        return self.strengths.get(name, 1.0)

    def readers(self, name: str) -> list[int]:
        """Blocks of the term's gates that read a variable, ascending; the network's output counts as one after all."""
        blocks = [self.blocks[gate.name] for gate in self.core.gates if name in self.formula.read[gate.name]]
        return sorted([*blocks, self.config.n_blocks] if name == OUTPUT else blocks)

    def sites(self, name: str) -> range:
        """`resid` indices at which a variable of the term stands at its home with all readers ahead."""
        first = self.blocks[name] + 1 if name in self.blocks else 0
        return range(first, min(self.readers(name), default=0) + 1)


def bystander(name: str) -> bool:
    """Whether a gate is the rival's."""
    return name.startswith("b")


def draw_plan(
    term: Term, beside: Term, strong: Term, inputs: Mapping[str, str], config: TransformerConfig, seed: int
) -> Plan:
    """A term and another's variables in random places.

    What reads letters alone is computed in the first block: as long as it lies ahead, letters that it reads together
    are as good as what it computes.

    Args:
        term: what is computed.
        beside: whose variables are computed too, where the term has not the same, and not read.
        strong: which of the two has its variables written strongly; all others are written weakly.
        inputs: the input that each letter is.
        config: the network.
        seed: of the places.

    Raises:
        RuntimeError: the network has too few heads or blocks.
    """
    extra = [sub for sub in inner(beside) if sub not in inner(term)]
    formula = formula_of(term, inputs, config.n_positions, extra)
    names = (*(f"g{i}" for i in range(len(inner(term)))), *(f"b{i}" for i in range(len(extra))))
    written = dict(zip(names, (*inner(term), *extra), strict=True))
    strengths = {name: STRONG if sub in inner(strong) else WEAK for name, sub in written.items()}
    rng = Random(f"attending/{seed}/{formula.gates}")
    for _ in range(1000):
        blocks = _drawn_blocks(formula, config.n_blocks, rng)
        homes = _drawn_homes(formula, config.n_positions, rng)
        needed = _needed(formula, blocks, homes)
        free = {block: rng.sample(range(config.n_heads), config.n_heads) for block in range(config.n_blocks)}
        if max(blocks.values()) < config.n_blocks and all(
            sum(block == at for at, _ in needed) <= config.n_heads for block in free
        ):
            fetches = tuple(Fetch(block, free[block].pop(), name, homes[name]) for block, name in needed)
            idle = tuple(
                Fetch(block, head, *rng.choice(_standing(formula, blocks, homes, block)))
                for block, heads in free.items()
                for head in heads
            )
            return Plan(formula, config, blocks, homes, fetches, idle, strengths, seed)
    raise RuntimeError(f"{list(written)} do not fit {config.n_blocks} blocks of {config.n_heads} heads")


def _drawn_blocks(formula: Formula, n_blocks: int, rng: Random) -> dict[str, int]:
    """The first block for what reads letters alone, a random later one for the output, else one after the parents'."""
    blocks: dict[str, int] = {}
    for gate in formula.gates:
        earliest = 1 + max((blocks[name] for name in formula.read[gate.name] if name in blocks), default=-1)
        last = gate.name == OUTPUT and earliest < n_blocks
        blocks[gate.name] = rng.randrange(earliest, n_blocks) if last else earliest
    return blocks


def _drawn_homes(formula: Formula, n_positions: int, rng: Random) -> dict[str, int]:
    """Any position at which all that a gate reads has been; of the output the last one."""
    homes = {name: number for number, name in enumerate(formula.inputs)}
    for gate in formula.gates:
        earliest = max(homes[name] for name in formula.read[gate.name])
        homes[gate.name] = rng.randrange(earliest, n_positions) if gate.name != OUTPUT else n_positions - 1
    return homes


def _needed(formula: Formula, blocks: dict[str, int], homes: dict[str, int]) -> list[tuple[int, str]]:
    """Blocks, and what a head fetches there: letters, and gates that some reader does not have at home.

    The rival's gates read each other in the stream.
    """

    def apart(gate: Gate, name: str) -> bool:
        return name in formula.inputs or (not bystander(gate.name) and homes[name] != homes[gate.name])

    read = ((gate, name) for gate in formula.gates for name in formula.read[gate.name])
    return sorted({(blocks[gate.name], name) for gate, name in read if apart(gate, name)})


def _standing(formula: Formula, blocks: dict[str, int], homes: dict[str, int], block: int) -> Sequence[tuple[str, int]]:
    """Variables that stand in the stream before a block, and where."""
    known = [*formula.used_inputs, *(name for name, at in blocks.items() if at < block)]
    return [(name, homes[name]) for name in known]
