"""Which tasks the family has."""

from collections.abc import Iterator

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.sums.algorithms import ALGORITHMS, BASE, CORNERS, DIGITS
from peabench_tasks.units.specification import Question, Specification, listed

FAMILY = "sums"
QUESTION = Question(
    size="s",
    description="The carry out of the sum of two numbers of three digits in base 3.",
    algorithms=ALGORITHMS,
    network=ResidualMLPConfig(
        n_inputs=len(DIGITS),
        d_model=26,
        n_blocks=3,
        n_units=4,
        d_hidden=12,
        words=tuple((BASE * i, BASE) for i in range(len(DIGITS))),
    ),
    domain=ProductDomain(sizes=(BASE,) * len(DIGITS)),
    corners=CORNERS,
)
PLANTED = (
    (QUESTION, "plain", (("parallel", "ripple"),)),
    (QUESTION, "decoy", (("downward", "parallel"),)),
    (QUESTION, "few", (("ripple", "group"), ("group", "downward"))),
)


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(FAMILY, PLANTED)
