"""What is true of a network of the family: it looks at the largest token and copies it."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import (
    Alignment,
    And,
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
    Or,
    Range,
    Select,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.networks import Transformer

HEAD = "block0.head0"


def causal_model(vocabulary: int, length: int) -> CausalModel:
    """Tokens, what the keys see of them, the place of the largest key, the token there."""
    token, place = Range(low=0, high=vocabulary - 1), Range(low=0, high=length - 1)
    tokens = [f"token{i}" for i in range(length)]
    keys = [f"key{i}" for i in range(length)]
    winner: Expression = Constant(value=length - 1)
    answer: Expression = VariableReference(name=tokens[-1])
    for i in reversed(range(length - 1)):
        largest = [
            Compare(relation="ge", left=VariableReference(name=keys[i]), right=VariableReference(name=other))
            for other in keys
            if other != keys[i]
        ]
        wins = largest[0] if len(largest) == 1 else And(arguments=tuple(largest))
        winner = Select(condition=wins, then=Constant(value=i), otherwise=winner)
        here = Compare(relation="eq", left=VariableReference(name="winner"), right=Constant(value=i))
        answer = Select(condition=here, then=VariableReference(name=tokens[i]), otherwise=answer)
    variables = [Variable(name=name, kind=token, columns=(i,)) for i, name in enumerate(tokens)]
    variables += [
        Variable(
            name=key,
            kind=token,
            parents=(name,),
            function=VariableReference(name=name),
            description="the token as the head's key sees it",
        )
        for key, name in zip(keys, tokens, strict=True)
    ]
    variables += [
        Variable(name="winner", kind=place, parents=tuple(keys), function=winner),
        Variable(name="largest", kind=token, parents=("winner", *tokens), function=answer),
    ]
    return CausalModel(variables=tuple(variables), output="largest")


def explain(network: Transformer, tolerance: float) -> Mechanism:
    """The mechanism, its key directions read off the weights."""
    config = network.config
    length = config.n_positions
    circuit = Circuit(
        edges=(
            CircuitEdge(
                edge=f"{HEAD}.k <- embed",
                status="required",
                carries=tuple((f"token{i}", f"key{i}") for i in range(length)),
            ),
            CircuitEdge(
                edge=f"{HEAD}.v <- embed",
                status="required",
                carries=tuple((f"token{i}", "largest") for i in range(length)),
            ),
            CircuitEdge(edge=f"output <- {HEAD}", status="required", carries=(("largest", "largest"),)),
        )
    )
    direction = key_direction(network)
    reference = TensorReference(name="key", shape=tuple(direction.shape))
    alignments = tuple(
        Alignment(variable=f"key{i}", location=Location(site=f"resid.0@{i}", basis=reference)) for i in range(length)
    )
    positions = Constant(value=tuple(range(length)))
    keys = tuple(
        And(
            arguments=(
                Compare(relation="eq", left=positions, right=Constant(value=i)),
                Compare(relation="eq", left=VariableReference(name=token), right=VariableReference(name="largest")),
            )
        )
        for i, token in enumerate(f"token{i}" for i in range(length))
    )
    mechanism = Mechanism(
        provenance="derived",
        causal_model=causal_model(config.d_vocabulary, length),
        alignments=alignments,
        circuit=circuit,
        attention=(Attends(head=HEAD, query=length - 1, keys=Or(arguments=keys)),),
        tolerance=tolerance,
        gauge=Gauge(symmetries=("head_basis", "residual_rotation")),
    )
    return mechanism.with_tensors({"key": direction})


@torch.no_grad()
def key_direction(network: Transformer) -> Float[Tensor, "d_model 1"]:
    """The direction along which the mean query of the last position reads keys."""
    weights = network.block(0).attention
    query = (network.w_embed.mean(0) + network.w_position[-1]) @ weights.w_qkv[0, 0] + weights.b_qkv[0, 0]
    direction: Tensor = weights.w_qkv[0, 1] @ query
    unit: Tensor = direction / direction.norm()
    return unit[:, None].clone()
