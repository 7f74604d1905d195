"""The ways to compute the parity of a few letters: by the parities of two parts of them, or by a count.

They are as many splits as counts, and no two of them share a variable. Three parts or more are left out: two of these
together are a part, too, and one way would be a coarser telling of another.
"""

from collections.abc import Iterator
from itertools import combinations, product

from peabench_tasks.ways.terms import XOR, Term


def splits(letters: str) -> Iterator[tuple[int, Term]]:
    """Every way to split the letters into two parts, with the size of the smaller one.

    A part of one letter is read as it is, so that there is one variable in between; else there are two.
    """
    for size in range(1, len(letters) // 2 + 1):
        for part in combinations(letters, size):
            rest = tuple(letter for letter in letters if letter not in part)
            if len(part) < len(rest) or letters[0] in part:
                yield size, XOR(part[0] if size == 1 else XOR(*part), XOR(*rest))


def counts(letters: str) -> Iterator[Term]:
    """Every way to count how many of four letters are what they are taken for: one of them exactly, or three.

    Counting the others is no other way, so the first letter always counts where it is true. Where an odd number of
    letters count where they are false, the parity is the opposite of the count's.
    """
    for flips in product((False, True), repeat=len(letters) - 1):
        literals = tuple(("~" if flip else "") + letter for letter, flip in zip(letters, (False, *flips), strict=True))
        one, three = Term("exactly_1", literals), Term("exactly_3", literals)
        yield XOR(~one if sum(flips) % 2 else one, three)


def kinds(letters: str) -> tuple[tuple[Term, ...], ...]:
    """The ways by what they are alike in: splits by the size of the smaller part, then counts."""
    found: dict[int, list[Term]] = {}
    for size, term in splits(letters):
        found.setdefault(size, []).append(term)
    return (*(tuple(terms) for terms in found.values()), tuple(counts(letters)))
