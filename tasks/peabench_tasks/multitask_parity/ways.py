"""The ways to compute one of two parities, as a control bit says: which variable serves which of the two subtasks.

The control is the letter S; where it is true the parity of A and B is asked for, else that of C and D.
"""

from peabench_tasks.ways.terms import XOR, Term

WHERE, ELSEWHERE = "S", "~S"


def parity_if(control: str, *letters: str) -> Term:
    """A parity where the control is true, and false elsewhere."""
    return Term("parity_if", (control, *letters))


def select(then: Term | str, otherwise: Term | str) -> Term:
    """One of two, as the control says."""
    return Term("select", (WHERE, then, otherwise))


OF_ITS_OWN = (
    select(XOR("A", "B"), XOR("C", "D")),
    XOR(parity_if(WHERE, "A", "B"), parity_if(ELSEWHERE, "C", "D")),
    XOR(~parity_if(WHERE, "~A", "B"), parity_if(ELSEWHERE, "~C", "D")),
)
"""Each subtask has a variable of its own: always there, or silent while the other is asked for, in either sense."""
SHARED = (
    XOR(select("A", "C"), select("B", "D")),
    XOR(select("A", "D"), select("B", "C")),
    XOR(select("A", "~C"), select("B", "~D")),
    XOR(select("A", "~D"), select("B", "~C")),
)
"""Both variables serve both subtasks, each with one letter of either."""
LEANING = (
    XOR(XOR("A", "B"), parity_if(ELSEWHERE, "A", "B", "C", "D")),
    XOR(XOR("C", "D"), parity_if(WHERE, "A", "B", "C", "D")),
    XOR(XOR("A", "B", WHERE), ~parity_if(ELSEWHERE, "~A", "B", "C", "D")),
    XOR(XOR("C", "D", ELSEWHERE), ~parity_if(WHERE, "~A", "B", "C", "D")),
)
"""One variable is right for one subtask and serves the other too, where a second mends it; it may be flipped there."""
KINDS = (OF_ITS_OWN, SHARED, LEANING)
