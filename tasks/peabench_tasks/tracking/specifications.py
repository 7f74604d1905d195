"""Which tasks the family has."""

from collections.abc import Iterator

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.tracking.algorithms import LENGTH, algorithms
from peabench_tasks.tracking.permutations import ELEMENTS
from peabench_tasks.units.specification import Question, Specification, listed

FAMILY = "tracking"
SOME = (1, 2, 3, 4)
"""Two turns and two swaps: their products of two are all six."""
ALL = tuple(range(ELEMENTS))


def question(size: str, elements: tuple[int, ...], d_model: int, d_hidden: int) -> Question:
    """The product of four tokens that stand for some permutations."""
    return Question(
        size=size,
        description=f"The product of four permutations of three things, each one of {len(elements)}.",
        algorithms=algorithms(elements),
        network=ResidualMLPConfig(
            n_inputs=LENGTH,
            d_model=d_model,
            n_blocks=3,
            n_units=3,
            d_hidden=d_hidden,
            d_output=ELEMENTS,
            words=tuple((len(elements) * i, len(elements)) for i in range(LENGTH)),
        ),
        domain=ProductDomain(sizes=(len(elements),) * LENGTH),
    )


XS, S = question("xs", SOME, 28, 16), question("s", ALL, 32, 20)
PLANTED = (
    (XS, "plain", (("sign-scan", "left"),)),
    (XS, "decoy", (("sign-right", "scan"),)),
    (XS, "few", (("left", "scan"), ("right", "sign-left"))),
    (S, "plain", (("right", "sign-scan"),)),
    (S, "decoy", (("scan", "sign-left"),)),
    (S, "few", (("sign-right", "left"),)),
)


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(FAMILY, PLANTED)
