"""Where the gates of a term go in a residual MLP."""

from collections.abc import Mapping, Sequence
from random import Random

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.boolean.plan import Plan
from peabench_tasks.distributive.terms import Term, formula_of

LOUD = 10.0
"""How strongly the variables are written that are to be most of the variance; what is read is around 1."""


def place(
    term: Term,
    loud: Term | None,
    others: Sequence[Term],
    inputs: Mapping[str, str],
    config: ResidualMLPConfig,
    seed: int,
) -> Plan:
    """A term in a network, and beside it variables that nobody reads.

    What reads inputs alone is computed in the first block: while it lies ahead, a direction of the inputs that it reads
    is as good as its output, and that of other terms' variables too. All else goes into a random block between its
    parents and its readers, bystanders as early as there is a free unit.

    Args:
        term: what is computed.
        loud: whose variables are all written and not read, strongly; those that the term has too are written twice.
        others: whose variables are written and not read, where they are not written already.
        inputs: the input that each letter is.
        config: the network.
        seed: of the places.
    """
    strong = inner(loud) if loud is not None else []
    written = {*term.subterms(), *strong}
    beside = [*strong, *dict.fromkeys(sub for other in others for sub in inner(other) if sub not in written)]
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
    strengths = {name: LOUD if sub in strong else 1.0 for name, sub in zip(bystanders, beside, strict=True)}
    return Plan(formula, config, units, bystanders=bystanders, strengths=strengths)


def inner(term: Term) -> list[Term]:
    """The variables on the way to a term."""
    return list(term.subterms())[:-1]
