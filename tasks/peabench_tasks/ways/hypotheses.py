"""The rival hypotheses about a network that computes a function in one of many ways, in Peabench's schema."""

from collections.abc import Mapping, Sequence

from peabench.mechanism import AlgorithmClaim, Expression, Hypothesis, Not, VariableReference, to_text
from peabench_tasks.boolean.mechanism import causal_model, nary
from peabench_tasks.ways.terms import Term, formula_of

FLAT = "flat"
"""Name of the hypothesis that says nothing but what every network does."""


def expression(term: Term | str, inputs: Mapping[str, str]) -> Expression:
    """A term written out over the inputs."""
    if isinstance(term, str):
        reference = VariableReference(name=inputs[term[-1]])
        return Not(argument=reference) if term.startswith("~") else reference
    whole = nary(term.operation, tuple(expression(operand, inputs) for operand in term.operands))
    return Not(argument=whole) if term.negated else whole


def claim(ways: Sequence[Term], holds: int | None, inputs: Mapping[str, str], n_inputs: int) -> AlgorithmClaim:
    """Every way to the function as a hypothesis, one of which holds, or none; and the flat one, which always does.

    Args:
        ways: terms of one function; hypotheses are called by their number.
        holds: number of the way that the network was planted with; None for a network that was trained freely.
        inputs: the input that each letter is.
        n_inputs: inputs in all.
    """
    hypotheses = []
    for number, term in enumerate(ways):
        formula = expression(term, inputs)
        hypotheses.append(
            Hypothesis(
                name=f"way-{number}",
                kind="formula",
                description=to_text(formula),
                holds=number == holds,
                level="algorithm",
                formula=formula,
                causal_model=causal_model(formula_of(term, inputs, n_inputs)),
            )
        )
    flat = Hypothesis(
        name=FLAT,
        kind="other",
        description="The outputs, whatever is in between.",
        holds=True,
        level="behaviour",
    )
    return AlgorithmClaim(hypotheses=(*hypotheses, flat))
