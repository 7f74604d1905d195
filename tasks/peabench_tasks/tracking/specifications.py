"""Which tasks the family has."""

from collections.abc import Iterator

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.tracking import four, three
from peabench_tasks.tracking.permutations import ELEMENTS
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.specification import Question, Specification, listed

FAMILY = "tracking"
D_HIDDEN = 50
WORDS = {3: "three", 4: "four"}


def question(
    size: str, length: int, algorithms: tuple[Algorithm, ...], d_model: int, n_blocks: int, n_units: int
) -> Question:
    """The product of several tokens, with the ways to it that are told apart."""
    return Question(
        size=size,
        description=f"The product of {WORDS[length]} permutations of three things.",
        algorithms=algorithms,
        network=ResidualMLPConfig(
            n_inputs=length,
            d_model=d_model,
            n_blocks=n_blocks,
            n_units=n_units,
            d_hidden=D_HIDDEN,
            d_output=ELEMENTS,
            words=tuple((ELEMENTS * i, ELEMENTS) for i in range(length)),
        ),
        domain=ProductDomain(sizes=(ELEMENTS,) * length),
    )


XS = question("xs", 3, three.algorithms(), 24, 3, 3)
S = question("s", 4, four.algorithms(), 32, 3, 4)
PLANTED = (
    (S, "crossed", ("outer-under", "scan")),
    (S, "crossed", ("sign-scan", "outer-over")),
    (XS, "crossed", ("sign-left", "right")),
    (XS, "crossed", ("left", "sign-right")),
    (S, "plain", ("scan", "under")),
)


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(FAMILY, PLANTED)
