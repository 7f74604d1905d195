"""Which tasks the family has."""

from collections.abc import Iterator

from peabench.domain import ProductDomain
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.facts import latent_rule, reversal, two_hop
from peabench_tasks.units.algorithm import Algorithm
from peabench_tasks.units.codes import values_of
from peabench_tasks.units.specification import Question, Specification, listed

FAMILY = "facts"


def question(
    size: str, description: str, algorithms: tuple[Algorithm, ...], sizes: tuple[int, ...], d_model: int, d_hidden: int
) -> Question:
    """Ways that are told apart, and networks of two blocks of four units for them."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return Question(
        size=size,
        description=description,
        algorithms=algorithms,
        network=ResidualMLPConfig(
            n_inputs=len(sizes),
            d_model=d_model,
            n_blocks=2,
            n_units=4,
            d_hidden=d_hidden,
            d_output=values_of(algorithms[0].model.kinds[algorithms[0].model.output]),
            words=tuple(zip(starts, sizes, strict=True)),
        ),
        domain=ProductDomain(sizes=sizes),
    )


def about_two_hops(seed: int) -> Question:
    """Of facts that are drawn."""
    return question(
        "s",
        "What a second relation says of that to which a first one leads from an entity.",
        two_hop.algorithms(two_hop.Facts.drawn(seed)),
        (two_hop.ENTITIES, two_hop.RELATIONS, two_hop.RELATIONS),
        28,
        64,
    )


def about_reversal(seed: int) -> Question:
    """Of facts that are drawn."""
    return question(
        "s",
        "Who is a name's teacher, or whose teacher it is: eight relations, forwards and backwards.",
        reversal.algorithms(reversal.Facts.drawn(seed)),
        (2, reversal.RELATIONS, reversal.NAMES),
        36,
        64,
    )


def about_a_latent_rule() -> Question:
    """Lines modulo 3."""
    return question(
        "xs",
        "What a rule says of a number, of which two examples are seen.",
        latent_rule.algorithms(),
        (3, 3, 2, 3, 3),
        28,
        32,
    )


def planted() -> list[tuple[Question, str, tuple[str, str]]]:
    """Of each task: the question, the variant and the ways that are planted, the own network's first."""
    return [
        (about_two_hops(0), "two_hop", ("bridge", "composed")),
        (about_two_hops(1), "two_hop", ("known-1-by-heart", "bridge")),
        (about_two_hops(2), "two_hop", ("second-corrected", "bridge")),
        (about_reversal(0), "reversal", ("subject", "separate")),
        (about_reversal(1), "reversal", ("both", "object")),
        (about_a_latent_rule(), "latent_rule", ("shares", "between")),
        (about_a_latent_rule(), "latent_rule", ("between", "rise-0")),
    ]


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    return listed(FAMILY, planted())
