"""Residual MLPs written down by hand that all compute B and (A or C), each by way of other variables."""

from collections.abc import Collection
from pathlib import Path

import torch

from peabench.domain import ProductDomain
from peabench.mechanism import (
    AlgorithmClaim,
    Alignment,
    And,
    Boolean,
    CausalModel,
    Circuit,
    CircuitEdge,
    Expression,
    Hypothesis,
    Location,
    Mechanism,
    Not,
    Or,
    TensorReference,
    Variable,
    VariableReference,
    Xor,
)
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tasks import Task, TaskRecord, Twin, companion_folder, load_task, save_task

COLUMNS = 4
"""A, B, C and one that nobody reads."""
D_MODEL = 10
CONFIG = ResidualMLPConfig(n_inputs=COLUMNS, d_model=D_MODEL, n_blocks=2, n_units=3, d_hidden=2)
DOMAIN = ProductDomain(sizes=(2,) * COLUMNS)
A, B, C = (VariableReference(name=name) for name in "ABC")
V, W = VariableReference(name="v"), VariableReference(name="w")


def both(*parts: Expression) -> Expression:
    return And(arguments=parts)


def either(*parts: Expression) -> Expression:
    return Or(arguments=parts)


def no(part: Expression) -> Expression:
    return Not(argument=part)


FORMULAS: dict[str, tuple[dict[str, Expression], Expression]] = {
    "factored": ({"v": either(A, C)}, both(B, V)),
    "expanded": ({"v": both(A, B), "w": both(B, C)}, either(V, W)),
    "first-then-rest": ({"v": both(A, B), "w": both(B, C, no(A))}, Xor(arguments=(V, W))),
    "last-then-rest": ({"v": both(B, C), "w": both(A, B, no(C))}, Xor(arguments=(V, W))),
    "implication": ({"v": both(no(A), C)}, both(B, either(A, V))),
    "other-implication": ({"v": both(A, no(C))}, both(B, either(C, V))),
    "parity": ({"v": Xor(arguments=(A, C)), "w": both(A, C)}, both(B, either(V, W))),
    "half": ({"v": both(A, B)}, either(V, both(B, C))),
    "other-half": ({"w": both(B, C)}, either(W, both(A, B))),
}
"""The inner variables of each hypothesis, and the output's formula in terms of them and of the inputs."""
HOLDING = {"factored": ("factored",), "expanded": ("expanded", "half", "other-half")}
"""What holds of each network: half of what a network computes is true of it too."""
EDGES = {
    "factored": (
        ("block0.unit0 <- input0", ("A", "v")),
        ("block0.unit0 <- input2", ("C", "v")),
        ("block1.unit0 <- input1", ("B", "answer")),
        ("block1.unit0 <- block0.unit0", ("v", "answer")),
        ("output <- block1.unit0", ("answer", "answer")),
    ),
    "expanded": (
        ("block0.unit0 <- input0", ("A", "v")),
        ("block0.unit0 <- input1", ("B", "v")),
        ("block0.unit1 <- input1", ("B", "w")),
        ("block0.unit1 <- input2", ("C", "w")),
        ("block1.unit0 <- block0.unit0", ("v", "answer")),
        ("block1.unit0 <- block0.unit1", ("w", "answer")),
        ("output <- block1.unit0", ("answer", "answer")),
    ),
}


def model(name: str) -> CausalModel:
    inner, output = FORMULAS[name]

    def computed(variable: str, formula: Expression) -> Variable:
        parents = tuple(parent for parent in ("A", "B", "C", "v", "w") if f'"{parent}"' in formula.model_dump_json())
        return Variable(name=variable, kind=Boolean(), parents=parents, function=formula, description=f"of {name}")

    inputs = [Variable(name=letter, kind=Boolean(), columns=(i,)) for i, letter in enumerate("ABC")]
    steps = [computed(variable, formula) for variable, formula in inner.items()]
    return CausalModel(variables=(*inputs, *steps, computed("answer", output)), output="answer", description=name)


def claim(truth: str, names: Collection[str] = FORMULAS) -> AlgorithmClaim:
    return AlgorithmClaim(
        hypotheses=tuple(
            Hypothesis(
                name=name,
                kind="other",
                description=f"It is {name}.",
                holds=name in HOLDING[truth],
                level="algorithm",
                causal_model=model(name),
            )
            for name in FORMULAS
            if name in names
        )
    )


def network(truth: str, seed: int = 0) -> ResidualMLP:
    """A, B, C and the idle column at coordinates 0 to 3, v and w at 4 and 5, the answer at 6, all as -1 and +1.

    Only `factored` and `expanded` are written down. The third unit of each block writes noise where nobody reads.
    """
    generator = torch.Generator().manual_seed(seed)
    made = ResidualMLP(CONFIG, generator)
    state = {name: torch.zeros_like(value) for name, value in made.state_dict().items()}
    state["w_embed"][:, :COLUMNS] = torch.eye(COLUMNS)
    for block in range(CONFIG.n_blocks):
        state[f"block{block}.w_in"][2] = torch.randn(D_MODEL, 2, generator=generator)
        state[f"block{block}.w_out"][2, :, 7:] = torch.randn(2, 3, generator=generator)

    def gate(block: int, unit: int, parents: tuple[int, int], written: int, *, conjunction: bool) -> None:
        sign = 1.0 if conjunction else -1.0  # an or is a conjunction of negations, negated
        state[f"block{block}.w_in"][unit, list(parents), 0] = sign
        state[f"block{block}.b_in"][unit] = torch.tensor([-1.0, 1.0])
        state[f"block{block}.w_out"][unit, :, written] = sign * torch.tensor([2.0, -1.0])

    if truth == "factored":
        gate(0, 0, (0, 2), 4, conjunction=False)
        gate(1, 0, (1, 4), 6, conjunction=True)
    else:
        gate(0, 0, (0, 1), 4, conjunction=True)
        gate(0, 1, (1, 2), 5, conjunction=True)
        gate(1, 0, (4, 5), 6, conjunction=False)
    state["w_output"][6] = 4
    made.load_state_dict(state)
    return made


def mechanism(truth: str, names: Collection[str] = FORMULAS) -> Mechanism:
    written = {"A": 0, "B": 1, "C": 2, "v": 4, "w": 5}
    variables = ["A", "B", "C", *FORMULAS[truth][0]]
    references = {name: TensorReference(name=name, shape=(D_MODEL, 1)) for name in variables}
    alignments = tuple(
        Alignment(variable=name, location=Location(site=f"resid.{int(name in 'vw')}@0", basis=reference))
        for name, reference in references.items()
    )
    edges = tuple(CircuitEdge(edge=edge, status="required", carries=(carried,)) for edge, carried in EDGES[truth])
    return Mechanism(
        provenance="constructed",
        causal_model=model(truth),
        alignments=alignments,
        circuit=Circuit(edges=edges),
        algorithm=claim(truth, names),
    ).with_tensors({name: torch.eye(D_MODEL)[:, [written[name]]].clone() for name in variables})


def record(variant: str, seed: int = 0, **others: object) -> TaskRecord:
    """Of a task `hand/VARIANT-xs-SEED`."""
    fields: dict[str, object] = {
        "id": f"hand/{variant}-xs-{seed}",
        "family": "hand",
        "variant": variant,
        "size": "xs",
        "seed": seed,
        "provenance": "constructed",
        "tracks": ("algorithms",),
        "network": CONFIG,
        "domain": DOMAIN,
        "domain_size": DOMAIN.size,
        "examples": 64,
        "twins": (Twin(name="untrained", provenance="random_init", seed=7),),
    }
    return TaskRecord.model_validate(fields | others)


COMPANIONS = {"a": "expanded", "b": "factored", "c": "expanded"}
"""What each companion of `save_rivals` computes, with noise of its own."""


def save_rivals(
    folder: Path,
    truth: str = "factored",
    companions: dict[str, str] | None = None,
    names: Collection[str] = FORMULAS,
) -> Task:
    """A task of the tracks `algorithms` and, with companions, `universality`."""
    beside = COMPANIONS if companions is None else companions
    tracks = ("algorithms", "universality") if beside else ("algorithms",)
    save_task(
        folder, record("rivals", tracks=tracks, companions=tuple(beside)), network(truth), mechanism(truth, names), {}
    )
    for seed, (name, other) in enumerate(beside.items(), 1):
        theirs = record("companion", seed, tracks=())
        save_task(companion_folder(folder, name), theirs, network(other, seed), mechanism(other, names), {})
    return load_task(folder)
