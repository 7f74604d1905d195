"""The six permutations of three things, and what a product of several of them is on the way."""

ELEMENTS = 6
"""Element r + 3 s: r turns, after a swap where s is 1."""


def product(one: int, other: int) -> int:
    """The product of two elements."""
    r, s = one % 3, one // 3
    turns, swaps = other % 3, other // 3
    return (r + (-turns if s else turns)) % 3 + 3 * (s ^ swaps)


def turn(element: int) -> int:
    """Which of the three elements of its sign one is."""
    return element % 3


def sign(element: int) -> int:
    """1 for a swap of two things, 0 for a turn."""
    return element // 3


def inverse(element: int) -> int:
    """The element whose product with one is no change."""
    return next(other for other in range(ELEMENTS) if product(element, other) == 0)
