"""A small mechanism that has one of everything, and a check that a folder is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from peabench.mechanism import (
    AlgorithmClaim,
    Alignment,
    And,
    Automaton,
    Backdoor,
    Boolean,
    CausalModel,
    Circuit,
    CircuitEdge,
    Feature,
    Gauge,
    Hypothesis,
    Location,
    Mechanism,
    Memorisation,
    Not,
    Or,
    ProxyGoal,
    Shortcut,
    TensorReference,
    Variable,
    VariableReference,
    Xor,
)

WIDTH = 8


def ref(name: str) -> VariableReference:
    return VariableReference(name=name)


def causal_model() -> CausalModel:
    def gate(name: str, function: And | Xor, *parents: str) -> Variable:
        return Variable(name=name, kind=Boolean(), parents=parents, function=function)

    return CausalModel(
        variables=(
            *(Variable(name=name, kind=Boolean(), columns=(i,)) for i, name in enumerate("abc")),
            gate("g", And(arguments=(ref("a"), ref("b"))), "a", "b"),
            gate("y", Xor(arguments=(ref("g"), Not(argument=ref("c")))), "g", "c"),
        ),
        output="y",
    )


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def basis(size: int) -> torch.Tensor:
        orthonormal: torch.Tensor = torch.linalg.qr(torch.randn(WIDTH, size, generator=generator))[0]
        return orthonormal

    return {"g.basis": basis(1), "g.other": basis(2), "feature.g": torch.randn(WIDTH, generator=generator)}


def bare_mechanism() -> Mechanism:
    """The mechanism before its tensors are attached."""
    first = Location(site="resid.1", basis=TensorReference(name="g.basis", shape=(WIDTH, 1)))
    other = Location(site="resid.2@0", basis=TensorReference(name="g.other", shape=(WIDTH, 2)))
    direction = TensorReference(name="feature.g", shape=(WIDTH,))
    return Mechanism(
        provenance="planted",
        causal_model=causal_model(),
        alignments=(
            Alignment(variable="g", location=first, alternatives=(other,)),
            Alignment(variable="y", location=Location(site="block1.unit0.hidden", neurons=(0, 3))),
        ),
        circuit=Circuit(
            edges=(
                CircuitEdge(edge="block0.unit1 <- input0", status="required", carries=(("a", "g"),)),
                CircuitEdge(edge="block0.unit1 <- input1", status="required", carries=(("b", "g"),)),
                CircuitEdge(edge="block1.unit0 <- block0.unit1", status="optional", carries=(("g", "y"),)),
                CircuitEdge(edge="block1.unit2 <- block0.unit1", status="optional"),
                CircuitEdge(edge="output <- block1.unit0", status="required", carries=(("y", "y"),)),
            ),
            minimal_circuits=tuple(
                (
                    "block0.unit1 <- input0",
                    "block0.unit1 <- input1",
                    f"block1.unit{i} <- block0.unit1",
                    "output <- block1.unit0",
                )
                for i in (0, 2)
            ),
        ),
        features=(
            Feature(name="either", site="resid.0", direction=direction, activation=Or(arguments=(ref("a"), ref("b")))),
            Feature(name="both", site="resid.1", direction=direction, activation=ref("g"), parents=("either",)),
        ),
        algorithm=AlgorithmClaim(
            hypotheses=(
                Hypothesis(
                    name="formula", kind="formula", description="", holds=True, level="algorithm", formula=ref("y")
                ),
                Hypothesis(
                    name="waves", kind="frequencies", description="", holds=False, level="algorithm", frequencies=(1, 5)
                ),
                Hypothesis(
                    name="machine",
                    kind="automaton",
                    description="",
                    holds=False,
                    level="behaviour",
                    automaton=Automaton(initial=0, transitions=((0, 1), (1, 0)), outputs=(0, 1)),
                ),
            )
        ),
        defects=(
            Shortcut(cue=ref("a")),
            Memorisation(examples=3),
            Backdoor(trigger=And(arguments=(ref("a"), ref("c")))),
            ProxyGoal(proxy=ref("b"), goal="g"),
        ),
        gauge=Gauge(symmetries=("neuron_permutation", "residual_rotation")),
    )


def mechanism() -> Mechanism:
    return bare_mechanism().with_tensors(tensors())


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """That nothing in and around `folder` is written, made or removed inside the block."""

    def snapshot() -> dict[Path, tuple[int, bytes | None]]:
        found = sorted(folder.parent.rglob("*"))
        return {path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in found}

    before = snapshot()
    yield
    assert snapshot() == before
