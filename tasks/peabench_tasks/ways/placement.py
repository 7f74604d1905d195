"""Where the gates of a term go in a residual MLP, and those of another that nobody reads."""

from collections.abc import Mapping
from random import Random

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.ways.terms import Term, formula_of

WEAK, STRONG = 0.5, 2.0
"""How strongly variables are written where two terms' are: those of one weakly, those of the other strongly."""


def place(
    term: Term,
    beside: Term | None,
    strong: Term | None,
    inputs: Mapping[str, str],
    config: ResidualMLPConfig,
    seed: int,
) -> Plan:
    """A term in a network, and beside it the variables of another, which nobody reads.

    What reads inputs alone is computed in the first block: while it lies ahead, a direction of the inputs that it reads
    is as good as its output, and that of other terms' variables too. All else goes into a random block between its
    parents and its readers, bystanders as early as there is a free unit.

    Args:
        term: what is computed.
        beside: whose variables are written and not read, where the term has not the same.
        strong: of these two the one whose variables are written strongly, those that both have as well; all others are
            written weakly. None: nothing is said of strengths.
        inputs: the input that each letter is.
        config: the network.
        seed: of the places.
    """
    own = list(term.subterms())
    extra = [sub for sub in inner(beside) if sub not in own]
    formula = formula_of(term, inputs, config.n_inputs, extra)
    bystanders = tuple(f"b{number}" for number in range(len(extra)))
    rng = Random(f"place/{seed}/{formula.gates}")
    free = {block: rng.sample(range(config.n_units), config.n_units) for block in range(config.n_blocks)}
    last = {gate.name: config.n_blocks - 1 for gate in formula.gates}
    for gate in reversed(formula.gates):
        for parent in last.keys() & set(formula.read[gate.name]):
            last[parent] = min(last[parent], last[gate.name] - 1)
    core = [gate.name for gate in formula.gates if gate.name not in bystanders]
    units: dict[str, tuple[int, int]] = {}
    for name in (*core, *bystanders):
        parents = [units[parent][0] for parent in formula.read[name] if parent in units]
        until = last[name] if parents or name in bystanders else 0
        blocks = [b for b in range(1 + max(parents, default=-1), until + 1) if free[b]]
        block = blocks[0] if name in bystanders else rng.choice(blocks)
        units[name] = block, free[block].pop()
    written = zip((*core[:-1], *bystanders), (*inner(term), *extra), strict=True)
    strengths = {name: STRONG if sub in inner(strong) else WEAK for name, sub in written} if strong is not None else {}
    return Plan(formula, config, units, bystanders=bystanders, strengths=strengths)


def inner(term: Term | None) -> list[Term]:
    """The variables on the way to a term."""
    return [] if term is None else list(term.subterms())[:-1]
