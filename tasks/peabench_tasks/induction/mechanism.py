"""What is true of a network of the family: previous-token head, keys composed with it, a copy of what followed."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import (
    Alignment,
    Attends,
    CausalModel,
    Circuit,
    CircuitEdge,
    Compare,
    Constant,
    Expression,
    Gauge,
    Location,
    Mechanism,
    Range,
    Select,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.networks import Transformer

PREVIOUS = "block0.head0"


def causal_model(vocabulary: int, length: int) -> CausalModel:
    """Tokens, the token before each, the place after the first occurrence of the last token, the token there.

    Place 0 says that there is none; the answer is then one class more than there are tokens.
    """
    token, last = Range(low=0, high=vocabulary - 1), f"token{length - 1}"
    before = [f"before{i}" for i in range(2, length)]
    place: Expression = Constant(value=0)
    answer: Expression = Constant(value=vocabulary)
    for i in reversed(range(2, length)):
        same = Compare(relation="eq", left=VariableReference(name=f"before{i}"), right=VariableReference(name=last))
        place = Select(condition=same, then=Constant(value=i), otherwise=place)
        here = Compare(relation="eq", left=VariableReference(name="place"), right=Constant(value=i))
        answer = Select(condition=here, then=VariableReference(name=f"token{i}"), otherwise=answer)
    variables = [Variable(name=f"token{i}", kind=token, columns=(i,)) for i in range(1, length)]
    variables += [
        Variable(
            name=f"before{i}",
            kind=token,
            parents=(f"token{i - 1}",),
            function=VariableReference(name=f"token{i - 1}"),
        )
        for i in range(2, length)
    ]
    variables += [
        Variable(
            name="place",
            kind=Range(low=0, high=length - 1),
            parents=(*before, last),
            function=place,
            description="after the first earlier occurrence of the last token; 0 where there is none",
        ),
        Variable(
            name="next",
            kind=Range(low=0, high=vocabulary),
            parents=("place", *(f"token{i}" for i in range(2, length))),
            function=answer,
        ),
    ]
    return CausalModel(variables=tuple(variables), output="next")


def explain(network: Transformer, tolerance: float, aligned: Sequence[int]) -> Mechanism:
    """The mechanism, what the previous-token head writes read off its weights.

    Args:
        network: what is explained.
        tolerance: share of interventions that may contradict the mechanism.
        aligned: positions whose token before is claimed to lie in a subspace. At others interchange goes wrong more
            often than is tolerated, or decides too rarely for the certificate to tell the subspace from a smaller one.
    """
    config = network.config
    length = config.n_positions
    copier = f"block{config.n_blocks - 1}.head0"
    tokens = range(length)
    carried: dict[str, tuple[tuple[str, str], ...]] = {
        f"{PREVIOUS}.v <- embed": tuple((f"token{i - 1}", f"before{i}") for i in tokens[2:]),
        f"{copier}.q <- embed": ((f"token{length - 1}", "place"),),
        f"{copier}.k <- {PREVIOUS}": tuple((f"before{i}", "place") for i in tokens[2:]),
        f"{copier}.v <- embed": tuple((f"token{i}", "next") for i in tokens[2:]),
        f"output <- {copier}": (("next", "next"),),
    }
    edges = tuple(CircuitEdge(edge=edge, status="required", carries=pairs) for edge, pairs in carried.items())
    positions = Constant(value=tuple(tokens))
    attention = [
        Attends(head=PREVIOUS, query=i, keys=Constant(value=tuple(j == i - 1 for j in tokens))) for i in tokens[2:]
    ]
    found = Compare(relation="eq", left=positions, right=VariableReference(name="place"))
    attention.append(Attends(head=copier, query=length - 1, keys=found))
    basis = written_subspace(network)
    reference = TensorReference(name="before", shape=tuple(basis.shape))
    site = f"resid.{config.n_blocks - 1}"
    mechanism = Mechanism(
        provenance="derived",
        causal_model=causal_model(config.d_vocabulary, length),
        alignments=tuple(
            Alignment(variable=f"before{i}", location=Location(site=f"{site}@{i}", basis=reference)) for i in aligned
        ),
        circuit=Circuit(edges=edges),
        attention=tuple(attention),
        tolerance=tolerance,
        gauge=Gauge(symmetries=("head_basis", "residual_rotation")),
    )
    return mechanism.with_tensors({"before": basis})


@torch.no_grad()
def written_subspace(network: Transformer) -> Float[Tensor, "d_model k"]:
    """What the previous-token head writes of tokens, one direction less than there are."""
    weights = network.block(0).attention
    written = network.w_embed @ weights.w_qkv[0, 2] @ weights.w_o[0]
    centred = (written - written.mean(0)).double()
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    kept: Tensor = directions[: len(written) - 1]
    return kept.T.float().contiguous()
