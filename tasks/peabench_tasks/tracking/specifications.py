"""Which tasks the family has."""

from collections.abc import Iterator

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.tracking.algorithms import TOKENS, algorithms
from peabench_tasks.tracking.permutations import ELEMENTS
from peabench_tasks.units.specification import Question, Specification, listed

FAMILY = "tracking"
QUESTION = Question(
    size="s",
    description="The product of four permutations of three things.",
    algorithms=algorithms(),
    network=ResidualMLPConfig(
        n_inputs=len(TOKENS),
        d_model=32,
        n_blocks=3,
        n_units=3,
        d_hidden=20,
        d_output=ELEMENTS,
        words=tuple((ELEMENTS * i, ELEMENTS) for i in range(len(TOKENS))),
    ),
    domain=ProductDomain(sizes=(ELEMENTS,) * len(TOKENS)),
)
PLANTED = (
    (QUESTION, "plain", (("sign-scan", "left"),)),
    (QUESTION, "decoy", (("sign-right", "scan"),)),
    (QUESTION, "few", (("left", "scan"), ("right", "sign-left"))),
)


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(FAMILY, PLANTED)
