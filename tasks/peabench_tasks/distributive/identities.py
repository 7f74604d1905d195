"""Truth tables, each written in many ways: equal outputs, different variables in between.

In every row of a catalogue the terms compute one function, and no term's variables (taken as partitions of the domain)
are all among another's: none is a coarser telling of another.
"""

from peabench_tasks.ways.terms import AND, MAJ, OR, XOR, Term

AND_OVER_OR = (
    AND("B", OR("A", "C")),
    OR(AND("A", "B"), AND("B", "C")),
    AND("B", MAJ("A", "B", "C")),
    AND("B", OR("A", AND("B", "C"))),
    AND("B", OR("C", AND("A", "B"))),
    AND("B", OR(XOR("A", "C"), AND("A", "B", "C"))),
    OR(AND("A", "B"), AND("B", XOR("A", "C"))),
    OR(AND("A", "B", "C"), AND("A", "B", "~C"), AND("~A", "B", "C")),
    AND("B", OR(AND("A", "B"), AND("~A", "C"))),
    AND("B", OR(AND("B", "C"), AND("A", "~C"))),
)
PRODUCT_OF_SUMS = (
    AND(OR("A", "B"), OR("C", "D")),
    OR(AND("A", "C"), AND("A", "D"), AND("B", "C"), AND("B", "D")),
    OR(AND("A", "C"), AND("A", "D"), AND("B", OR("C", "D"))),
    OR(AND("B", "C"), AND("B", "D"), AND("A", OR("C", "D"))),
    OR(AND("A", "C"), AND("B", "C"), AND("D", OR("A", "B"))),
    OR(AND("A", "D"), AND("B", "D"), AND("C", OR("A", "B"))),
    AND(OR("A", "B"), OR("C", AND("A", "D"), AND("B", "D"))),
    AND(OR("A", "B"), OR("D", AND("A", "C"), AND("B", "C"))),
    AND(OR("C", "D"), OR("A", AND("B", "C"), AND("B", "D"))),
    AND(OR("C", "D"), OR("B", AND("A", "C"), AND("A", "D"))),
)
TABLES: dict[str, tuple[Term, ...]] = {
    "and_over_or": AND_OVER_OR,
    "or_over_and": tuple(term.dual() for term in AND_OVER_OR),
    "and_over_xor": (
        AND("B", XOR("A", "C")),
        XOR(AND("A", "B"), AND("B", "C")),
        XOR(AND("~A", "B"), AND("B", "~C")),
        AND("B", ~XOR("A", "B", "C")),
        AND("B", OR("A", "C"), ~AND("A", "C")),
        OR(AND("A", "B", "~C"), AND("~A", "B", "C")),
        XOR(AND("B", OR("A", "C")), AND("A", "B", "C")),
        AND(MAJ("A", "B", "C"), ~AND("A", "C")),
        AND(OR("A", "C"), MAJ("~A", "B", "~C")),
        AND("B", ~AND("A", "B", "C"), ~AND("~A", "B", "~C")),
    ),
    "select": (
        OR(AND("A", "B"), AND("~A", "C")),
        AND(OR("~A", "B"), OR("A", "C")),
        XOR("C", AND("A", "B"), AND("A", "C")),
        XOR("B", AND("~A", "B"), AND("~A", "C")),
        XOR("C", AND("A", XOR("B", "C"))),
        XOR("B", AND("~A", XOR("B", "C"))),
        OR(AND("B", "C"), AND("A", "B", "~C"), AND("~A", "~B", "C")),
        AND(OR("B", "C"), OR("A", "~B", "C"), OR("~A", "B", "~C")),
        OR(AND("B", "C"), AND(XOR("B", "C"), ~XOR("A", "B"))),
        OR(AND("A", "B"), AND("B", "C"), AND("~A", "~B", "C")),
        OR(AND("~A", "C"), AND("B", "C"), AND("A", "B", "~C")),
    ),
    "majority": (
        OR(AND("A", "B"), AND("B", "C"), AND("A", "C")),
        AND(OR("A", "B"), OR("B", "C"), OR("A", "C")),
        OR(AND("A", "B"), AND("C", OR("A", "B"))),
        OR(AND("B", "C"), AND("A", OR("B", "C"))),
        OR(AND("A", "C"), AND("B", OR("A", "C"))),
        XOR("A", AND(XOR("A", "B"), XOR("A", "C"))),
        XOR("B", AND(XOR("A", "B"), XOR("B", "C"))),
        XOR("C", AND(XOR("A", "C"), XOR("B", "C"))),
        OR(AND("A", "B", "C"), AND("A", "B", "~C"), AND("A", "~B", "C"), AND("~A", "B", "C")),
    ),
    "parity": (
        XOR("C", XOR("A", "B")),
        XOR("A", XOR("B", "C")),
        XOR("B", XOR("A", "C")),
        XOR("C", AND("A", "B"), OR("A", "B")),
        XOR("A", AND("B", "C"), OR("B", "C")),
        XOR("B", AND("A", "C"), OR("A", "C")),
        XOR("C", AND("A", "~B"), AND("~A", "B")),
        XOR("A", AND("B", "~C"), AND("~B", "C")),
        XOR(OR("A", "B", "C"), MAJ("A", "B", "C"), AND("A", "B", "C")),
        OR(AND("A", "~B", "~C"), AND("~A", "B", "~C"), AND("~A", "~B", "C"), AND("A", "B", "C")),
    ),
    "not_all_equal": (
        OR(XOR("A", "B"), XOR("B", "C")),
        OR(XOR("A", "B"), XOR("A", "C")),
        OR(XOR("A", "C"), XOR("B", "C")),
        AND(OR("A", "B", "C"), ~AND("A", "B", "C")),
        XOR(MAJ("A", "B", "C"), XOR("A", "B", "C")),
        OR(AND("A", "~B"), AND("B", "~C"), AND("C", "~A")),
        OR(AND("~A", "B"), AND("~B", "C"), AND("~C", "A")),
        OR(XOR("A", "B"), AND("A", "B", "~C"), AND("~A", "~B", "C")),
        OR(XOR("B", "C"), AND("A", "~B", "~C"), AND("~A", "B", "C")),
        OR(AND("~C", OR("A", "B")), AND("C", ~AND("A", "B"))),
    ),
    "product_of_sums": PRODUCT_OF_SUMS,
    "sum_of_products": tuple(term.dual() for term in PRODUCT_OF_SUMS),
}
PLANTED: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "plain": (
        ("and_over_or", (1, 0, 6)),
        ("or_over_and", (8, 0, 1)),
    ),
    "crossed": (
        ("and_over_or", (8, 0)),
        ("select", (7, 0)),
        ("majority", (5, 1)),
        ("parity", (0, 1)),
        ("not_all_equal", (3, 0)),
        ("product_of_sums", (0, 1)),
        ("sum_of_products", (0, 1)),
        ("and_over_xor", (5, 0)),
    ),
    "attending": (
        ("or_over_and", (0, 1)),
        ("select", (7, 0)),
        ("product_of_sums", (1, 0)),
    ),
}
"""For each task of a variant its table, and the terms that are planted, that of the task's own network first.

Not every term can be: what the units of some add up to holds another's variables too (A and B is one of
(A and B and C) and (A and B and not C)), and that other is then no rival. Those of the tasks' own networks are as often
long as short, so that to bet on the shortest earns nothing.
"""
