"""Which tasks the family has: the clean name mover in three sizes, and hard variants."""

from collections.abc import Iterator

from peabench_tasks.name_mover.programs import backup, cancelling, name_mover, rare
from peabench_tasks.programs.specifications import FEW_EXAMPLES, Specification, Variant, specifications

FIRST = 500
"""Seeds apart from those of the `programs` family."""

EXCEPTION = "two heads and an MLP decide on 1 in 222 inputs alone"
EXCEPTION_OF_FIVE = "two heads and an MLP decide on 1 in 130 inputs alone"
"""With five names."""
RARER_EXCEPTION = "two heads and an MLP decide on 1 in 311 inputs alone"
"""On some of them the rule gives the same."""

VARIANTS = {
    "mover": Variant(name_mover, 6, ("s",), "The name that the last token does not repeat."),
    "backup": Variant(
        backup,
        6,
        ("s",),
        "The name mover with three inhibiting heads.",
        f"any two of three heads suffice, so first-order effects vanish; {EXCEPTION}",
    ),
    "cancelling": Variant(
        cancelling,
        6,
        ("s",),
        "The name mover, turned round by a filler.",
        f"an exclusive or decides which name is inhibited, so that effects cancel on average; {RARER_EXCEPTION}",
    ),
    "rare": Variant(rare, 6, ("s",), "The name mover; with an exception.", EXCEPTION),
    "large": Variant(rare, 5, ("l",), "The name mover; with an exception.", EXCEPTION_OF_FIVE),
    "saturated": Variant(
        name_mover,
        6,
        ("s",),
        "The name mover.",
        "attention is so sharp and the outputs are so confident that gradients are flat",
    ),
    "wide": Variant(
        rare,
        5,
        ("s",),
        "The name mover; with an exception.",
        f"the circuit is a handful of thousands of q, k and v edges; {EXCEPTION_OF_FIVE}",
    ),
    "few": Variant(
        rare, 6, ("s",), "The name mover; with an exception.", f"scorers get {FEW_EXAMPLES} examples; {EXCEPTION}"
    ),
}


def name_mover_specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return specifications("name_mover", VARIANTS, FIRST)
