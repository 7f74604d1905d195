"""Which tasks the family has: the clean name mover in three sizes, and hard variants."""

from collections.abc import Iterator

from peabench_tasks.name_mover.programs import backup, cancelling, name_mover, rare
from peabench_tasks.programs.specifications import FEW_EXAMPLES, Specification, Variant, specifications

FIRST = 500
"""Seeds apart from those of the `programs` family."""

VARIANTS = {
    "mover": Variant(name_mover, 6, ("s", "l"), "The name that the last token does not repeat."),
    "backup": Variant(
        backup,
        6,
        ("s",),
        "The name mover with three inhibiting heads.",
        "any two of three heads suffice, so first-order effects vanish",
    ),
    "cancelling": Variant(
        cancelling,
        6,
        ("s",),
        "The name mover, turned round by a filler.",
        "an exclusive or decides which name is inhibited, so that effects cancel on average",
    ),
    "rare": Variant(
        rare,
        9,
        ("m",),
        "The name mover, which inhibits the first name after two fillers of kind 0 too.",
        "two heads and an MLP decide on 1% of the inputs alone",
    ),
    "saturated": Variant(
        name_mover,
        6,
        ("s",),
        "The name mover.",
        "attention is so sharp and the outputs are so confident that gradients are flat",
    ),
    "wide": Variant(
        name_mover,
        6,
        ("s",),
        "The name mover.",
        "the circuit is a handful of thousands of q, k and v edges",
    ),
    "few": Variant(name_mover, 6, ("s",), "The name mover.", f"scorers get {FEW_EXAMPLES} examples"),
}


def name_mover_specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return specifications("name_mover", VARIANTS, FIRST)
