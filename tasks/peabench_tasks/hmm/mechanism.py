"""What is true of a network of the family: the Bayes filter, and where its belief is read."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.affine import AffineMap, ridge
from peabench.belief_states import Tracked, explained, read_at, states
from peabench.interventions import run_with_cache
from peabench.mechanism import (
    Add,
    Beliefs,
    Category,
    CausalModel,
    Compare,
    Constant,
    EveryPosition,
    Expression,
    HiddenMarkovProcess,
    Mechanism,
    Multiply,
    Readout,
    Real,
    Select,
    Table,
    TensorReference,
    Variable,
    VariableReference,
    variables,
)
from peabench.networks import Network
from peabench_tasks.hmm.planting import Planted
from peabench_tasks.hmm.specifications import Specification

TOLERANCE = 0.02
"""Share of histories and of swaps of which more than a tenth of the probability may be misplaced."""
PENALTY = 1e-7


def build_mechanism(specification: Specification, made: Planted) -> Mechanism:
    """The read-out within the planted subspace, or at the site where the freely learnt belief is read best."""
    process = specification.process
    words = process.words(specification.length).tokens
    beliefs = states(Tracked(process, None, specification.position), words).flatten(0, 1)
    streams = _streams(made.network, words, specification.position)
    layers = range(len(streams)) if specification.planted is None else [specification.planted]
    basis = torch.eye(streams[0].shape[-1]) if specification.planted is None else made.basis
    found = {layer: _within(streams[layer], basis, beliefs) for layer in layers}
    best = max(layers, key=lambda layer: explained(beliefs, found[layer](streams[layer])))
    tensors = {"matrix": found[best].matrix.float().contiguous(), "offset": found[best].offset.float()}
    references = {name: TensorReference(name=name, shape=tuple(tensor.shape)) for name, tensor in tensors.items()}
    return Mechanism(
        provenance="derived" if specification.planted is None else "planted",
        causal_model=bayes_filter(process, specification.length),
        beliefs=Beliefs(process=process, readout=Readout(site=f"resid.{best}@{specification.position}", **references)),
        tolerance=TOLERANCE,
    ).with_tensors(tensors)


def bayes_filter(process: HiddenMarkovProcess, length: int) -> CausalModel:
    """How probable the tokens so far and each hidden state are together, step by step, and the likeliest next token."""
    made = [
        Variable(name=f"token{step}", kind=Category(values=process.n_tokens), columns=(step,)) for step in range(length)
    ]
    matrices = process.matrices()
    start = torch.tensor(process.start, dtype=torch.float64)
    for step in range(length):
        for state in range(process.n_states):
            into = matrices[:, :, state].T  # [previous state, token]
            if step == 0:
                terms: list[Expression] = [_by_token(step, start @ into)]
            else:
                previous = [old for old in range(process.n_states) if bool(into[old].any())]
                terms = [
                    Multiply(arguments=(VariableReference(name=_weight(old, step - 1)), _by_token(step, into[old])))
                    for old in previous
                ]
            made.append(_computed(_weight(state, step), Real(), _sum(terms)))
    following = matrices.sum(2)
    names = [_weight(state, length - 1) for state in range(process.n_states)]
    for token in range(process.n_tokens):
        terms = [
            Multiply(arguments=(VariableReference(name=name), Constant(value=float(following[token, state]))))
            for state, name in enumerate(names)
        ]
        made.append(_computed(f"next{token}", Real(), _sum(terms)))
    likeliest: Expression = Constant(value=0)
    largest: Expression = VariableReference(name="next0")
    for token in range(1, process.n_tokens):
        own = VariableReference(name=f"next{token}")
        more = Compare(relation="gt", left=own, right=largest)
        likeliest = Select(condition=more, then=Constant(value=token), otherwise=likeliest)
        largest = Select(condition=more, then=own, otherwise=largest)
    made.append(_computed("likeliest", Category(values=process.n_tokens), likeliest))
    return CausalModel(
        variables=tuple(made),
        output="likeliest",
        description="The Bayes filter: a state's weight over the sum of all of one step is the belief in it. What is "
        "certified of the output is not the likeliest token alone, but the probability of each after every token.",
    )


def _streams(
    network: Network, words: Int[Tensor, "word position"], position: int | EveryPosition
) -> list[Float[Tensor, "history d_model"]]:
    """What the residual stream holds of all sequences, before each block and after the last."""
    run = run_with_cache(network, words)
    layers = range(network.graph.n_blocks + 1)
    return [read_at(network, run, f"resid.{layer}@{position}").flatten(0, 1).clone() for layer in layers]


def _within(
    stream: Float[Tensor, "history d_model"], basis: Float[Tensor, "d_model k"], beliefs: Float[Tensor, "history state"]
) -> AffineMap:
    """The best read-out that looks at a subspace alone."""
    inner = ridge(stream @ basis.double(), beliefs, PENALTY)
    return AffineMap(basis.double() @ inner.matrix, inner.offset)


def _weight(state: int, step: int) -> str:
    return f"state{state}_after{step}"


def _by_token(step: int, values: Float[Tensor, " token"]) -> Expression:
    return Table(
        arguments=(VariableReference(name=f"token{step}"),), shape=(len(values),), values=tuple(values.tolist())
    )


def _sum(terms: list[Expression]) -> Expression:
    return terms[0] if len(terms) == 1 else Add(arguments=tuple(terms))


def _computed(name: str, kind: Category | Real, function: Expression) -> Variable:
    return Variable(name=name, kind=kind, parents=tuple(sorted(variables(function))), function=function)
