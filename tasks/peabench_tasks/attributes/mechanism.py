"""From a lexicon, queries and directions to the mechanism that they make, in Peabench's schema."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import (
    Boolean,
    Category,
    CausalModel,
    Compare,
    Constant,
    Expression,
    Feature,
    Gauge,
    Mechanism,
    Select,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.mechanism.expressions import variables
from peabench_tasks.attributes.lexicon import Lexicon
from peabench_tasks.attributes.queries import Query

SITE = "resid.0@0"
QUERY, ANSWER = "query", "answer"
TOLERANCE = 0.003
"""Bound on the share of wrong answers when a variable's features are moved, with 95% confidence: states that no words
make, such as twice one attribute beside four others, have no end, and in superposition not all of them can be told
apart."""


def causal_model(lexicon: Lexicon, queries: Sequence[Query]) -> CausalModel:
    """What is there, the answer to each query, and the answer to the one that is asked."""
    asked = Variable(name=QUERY, kind=Category(values=len(queries)), columns=(len(lexicon.columns),))
    answers = [_computed(f"{ANSWER}{i}", query.expression(lexicon.atoms)) for i, query in enumerate(queries)]
    chosen: Expression = VariableReference(name=answers[-1].name)
    for i in reversed(range(len(answers) - 1)):
        chosen = Select(condition=_asked(i), then=VariableReference(name=answers[i].name), otherwise=chosen)
    return CausalModel(
        variables=(*lexicon.variables, asked, *answers, _computed(ANSWER, chosen)),
        output=ANSWER,
        description="Words are said and one query is asked about the attributes that they carry.",
    )


def build_mechanism(
    lexicon: Lexicon, queries: Sequence[Query], directions: Float[Tensor, "feature d_model"]
) -> Mechanism:
    """The causal model and its features: those that words carry, then which query is asked."""
    width = directions.shape[1]
    named = dict(zip(feature_names(lexicon, len(queries)), directions, strict=True))
    features = [
        Feature(
            name=attribute.name,
            site=SITE,
            direction=_reference(attribute.shares_direction_of or attribute.name, width),
            activation=attribute.activation,
            parents=attribute.parents,
            subspace=attribute.subspace,
        )
        for attribute in lexicon.attributes
    ]
    features += [
        Feature(name=f"{QUERY}.{i}", site=SITE, direction=_reference(f"{QUERY}.{i}", width), activation=_asked(i))
        for i in range(len(queries))
    ]
    used = {feature.direction.name for feature in features}
    mechanism = Mechanism(
        provenance="planted",
        tolerance=TOLERANCE,
        causal_model=causal_model(lexicon, queries),
        features=tuple(features),
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    )
    return mechanism.with_tensors({name: row.clone() for name, row in named.items() if name in used})


def feature_names(lexicon: Lexicon, queries: int) -> list[str]:
    """Names of all features, in the order of their directions."""
    return [attribute.name for attribute in lexicon.attributes] + [f"{QUERY}.{i}" for i in range(queries)]


def _asked(number: int) -> Expression:
    return Compare(relation="eq", left=VariableReference(name=QUERY), right=Constant(value=number))


def _computed(name: str, function: Expression) -> Variable:
    return Variable(name=name, kind=Boolean(), parents=tuple(sorted(variables(function))), function=function)


def _reference(name: str, width: int) -> TensorReference:
    return TensorReference(name=name, shape=(width,))
