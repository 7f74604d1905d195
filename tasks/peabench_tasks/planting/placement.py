"""Where a program goes in a transformer: which head or MLP computes which step, drawn at random."""

from dataclasses import dataclass
from random import Random

from peabench.networks.config import TransformerConfig
from peabench_tasks.planting.program import TOKENS, Program, Read


@dataclass(frozen=True)
class Placement:
    """A program placed in a network of a given shape."""

    program: Program
    config: TransformerConfig
    heads: dict[str, tuple[int, int]]
    """(block, head) of each step that a head computes."""
    mlps: dict[str, int]
    """Block of each step that an MLP computes."""

    def moment(self, variable: str) -> int:
        """When a variable is written: twice its block, plus one for an MLP; -1 for the tokens."""
        if variable == TOKENS:
            return -1
        return 2 * self.heads[variable][0] if variable in self.heads else 2 * self.mlps[variable] + 1

    def node(self, variable: str) -> str:
        """Address of the node that writes a variable."""
        if variable == TOKENS:
            return "embed"
        if variable in self.heads:
            block, head = self.heads[variable]
            return f"block{block}.head{head}"
        return f"block{self.mlps[variable]}.mlp"

    def reader(self, step: str, read: Read) -> str:
        """Address of the reader by which a step reads."""
        return self.node(step) if read.port == "mlp" else f"{self.node(step)}.{read.port}"

    def edges(self) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
        """Every circuit edge with the (parent, child) that it carries; edges into the output last."""
        found: dict[str, list[tuple[str, str]]] = {}
        for step in self.program.steps:
            for read in step.reads:
                address = f"{self.reader(step.variable, read)} <- {self.node(read.parent)}"
                found.setdefault(address, []).append((read.parent, read.child))
        for parent, child in self.program.outputs:
            found.setdefault(f"output <- {self.node(parent)}", []).append((parent, child))
        return [(address, tuple(carried)) for address, carried in found.items()]

    def readers_after(self, variable: str) -> list[int]:
        """Moments at which a variable is read, ascending; the output reads after the last block."""
        moments = [self.moment(s.variable) for s in self.program.steps for r in s.reads if r.parent == variable]
        if any(parent == variable for parent, _ in self.program.outputs):
            moments.append(2 * self.config.n_blocks)
        return sorted(moments)

    def sites(self, variable: str) -> range:
        """`resid` indices at which the variable is written and all of its readers still lie ahead."""
        first = (self.moment(variable) + 2) // 2
        return range(first, self.readers_after(variable)[0] // 2 + 1)


def draw_placement(program: Program, config: TransformerConfig, seed: int) -> Placement:
    """Each step at a random moment after its parents and before its readers, heads in a random free place.

    Raises:
        RuntimeError: the network has too few blocks for the program.
    """
    rng = Random(f"placement/{program.name}/{config.n_blocks}/{config.n_heads}/{seed}")
    for _ in range(2000):
        moments = {TOKENS: -1}
        for step in program.steps:
            parity = 0 if step.part == "head" else 1
            after = max(moments[parent] for parent in program.parents(step.variable)) + 1
            choices = [m for m in range(after, 2 * config.n_blocks) if m % 2 == parity]
            if not choices:
                break
            moments[step.variable] = rng.choice(choices)
        else:
            blocks = {s.variable: moments[s.variable] // 2 for s in program.steps if s.part == "mlp"}
            heads: dict[str, tuple[int, int]] = {}
            free = {block: rng.sample(range(config.n_heads), config.n_heads) for block in range(config.n_blocks)}
            for step in program.steps:
                if step.part == "head" and free[moments[step.variable] // 2]:
                    block = moments[step.variable] // 2
                    heads[step.variable] = (block, free[block].pop())
            if len(set(blocks.values())) == len(blocks) and len(heads) + len(blocks) == len(program.steps):
                return Placement(program, config, heads, blocks)
    raise RuntimeError(f"{program.name} does not fit {config.n_blocks} blocks of {config.n_heads} heads")
