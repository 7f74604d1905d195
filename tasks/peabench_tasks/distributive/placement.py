"""Where the gates of a term go in a residual MLP."""

from collections.abc import Mapping
from random import Random

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.terms import Term, formula_of


def place(
    term: Term,
    bait: Term | None,
    inputs: Mapping[str, str],
    config: ResidualMLPConfig,
    seed: int,
    strengths: tuple[float, float] = (1.0, 1.0),
) -> Plan:
    """A term in a network, and beside it the variables of another, which nobody reads.

    What reads inputs alone is computed in the first block: while it lies ahead, a direction of the inputs that it reads
    is as good as its output, and that of other terms' variables too. All else goes into a random block between its
    parents and its readers, bystanders as early as there is a free unit.

    Args:
        term: what is computed.
        bait: whose variables are written and not read.
        inputs: the input that each letter is.
        config: the network.
        seed: of the places.
        strengths: how strongly the term's own variables are written, and the bait's.
    """
    own = list(term.subterms())
    beside = [sub for sub in (bait.subterms() if bait is not None else ()) if sub not in own][:-1]
    formula = formula_of(term, inputs, config.n_inputs, beside)
    bystanders = tuple(f"b{number}" for number in range(len(beside)))
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
    strong = dict.fromkeys(core[:-1], strengths[0]) | dict.fromkeys(bystanders, strengths[1])
    return Plan(formula, config, units, bystanders=bystanders, strengths=strong)
