"""A sequence program: a causal model whose variables are steps, each computed by one head or one MLP."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import CausalModel, Expression, Kind, Range, Variable, VariableReference
from peabench.mechanism.expressions import variables
from peabench.mechanism.kinds import cardinality

TOKENS = "tokens"
"""The input variable: what the embedding writes."""

Part = Literal["head", "mlp"]


@dataclass(frozen=True)
class Read:
    """What one reader of a step takes from one parent."""

    port: Literal["q", "k", "v", "mlp"]
    parent: str
    child: str
    """The step's variable, or the copy of the parent that this reader alone sees."""


@dataclass(frozen=True)
class Step:
    """A variable that one node of the network computes and writes."""

    variable: str
    part: Part
    reads: tuple[Read, ...]
    code: Float[Tensor, "#position value k"] = field(compare=False)
    """What the node writes for each value, in the coordinates of the variable's subspace."""
    everywhere: bool = field(kw_only=True)
    """Whether the variable has a value at every position, or one alone, at the last."""


@dataclass(frozen=True)
class Program:
    """Steps in topological order, over rows of tokens; the answer is read at the last position."""

    name: str
    model: CausalModel
    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, str], ...]
    """(parent, child) of each edge into the network's output."""
    domain: ProductDomain
    n_outputs: int
    copies: tuple[str, ...] = ()
    """Steps that compute the same; any two of them suffice."""

    def step(self, variable: str) -> Step:
        """The step that computes a variable."""
        return next(step for step in self.steps if step.variable == variable)

    def parents(self, variable: str) -> list[str]:
        """Steps (or the tokens) that a step reads, each once."""
        return list(dict.fromkeys(read.parent for read in self.step(variable).reads))

    @property
    def n_positions(self) -> int:
        """Columns of the domain."""
        return len(self.domain.sizes)


class Writer:
    """Builds a program step by step; a parent that several readers of one step see gets a copy for each of them."""

    def __init__(self, name: str, sizes: tuple[int, ...]) -> None:
        self.name = name
        self.domain = ProductDomain(sizes=sizes)
        kind = Range(low=0, high=max(sizes) - 1, length=len(sizes))
        self.variables = [Variable(name=TOKENS, kind=kind, columns=tuple(range(len(sizes))))]
        self.steps: list[Step] = []

    def read(self, variable: str, **ports: str) -> dict[str, str]:
        """Copies of parents that several readers of `variable` see, made as needed: `q="tokens", k="tokens"`.

        Several parents of one port are joined by `+`.

        Returns:
            Name of what each port sees of each parent: `{"q": ...}`, or `{"k.count": ...}` where a port has several.
        """
        pairs = [(port, parent) for port, joined in ports.items() for parent in joined.split("+")]
        seen: dict[str, str] = {}
        self.reads: list[Read] = []
        for port, parent in pairs:
            shared = sum(other == parent for _, other in pairs) > 1
            child = f"{variable}_{port}_{parent}" if shared else variable
            if shared:
                kind = next(v.kind for v in self.variables if v.name == parent)
                function = VariableReference(name=parent)
                self.variables.append(Variable(name=child, kind=kind, parents=(parent,), function=function))
            several = sum(other == port for other, _ in pairs) > 1
            seen[f"{port}.{parent}" if several else port] = child if shared else parent
            self.reads.append(Read(port, parent, child))  # type: ignore[arg-type]  # ports are spelt by the caller
        return seen

    def step(
        self, variable: str, part: Part, kind: Kind, function: Expression, code: Float[Tensor, "#position value k"]
    ) -> None:
        """Add the step whose reads were just declared."""
        parents = tuple(sorted(variables(function)))
        self.variables.append(Variable(name=variable, kind=kind, parents=parents, function=function))
        self.steps.append(Step(variable, part, tuple(self.reads), code, everywhere=kind.length is not None))

    def finish(self, copies: Sequence[str] = ()) -> Program:
        """The program whose answer is its last step; any two of three `copies` suffice."""
        answer = self.variables[-1]
        children = ((answer.name, answer.name),)
        n_outputs = cardinality(answer.kind)
        if n_outputs is None:
            raise ValueError("the answer must be discrete")
        model = CausalModel(variables=tuple(self.variables), output=answer.name)
        return Program(self.name, model, tuple(self.steps), children, self.domain, n_outputs, tuple(copies))


def simplex(values: int) -> Float[Tensor, "1 value k"]:
    """Corners of a regular simplex with edges of length 2: a code without order (for two values -1 and 1)."""
    centred = torch.eye(values, dtype=torch.float64) - 1 / values
    left, size, _ = torch.linalg.svd(centred)
    corners: Tensor = (left * size)[:, : values - 1] * 2**0.5
    return corners.float()[None]


def graded(levels: Float[Tensor, "#position value"], reach: float = 2.0) -> Float[Tensor, "#position value 1"]:
    """A code on a line, from minus to plus `reach`: what an average over positions can write."""
    low, high = levels.min(), levels.max()
    return ((levels - low) / (high - low) * 2 - 1)[..., None].float() * reach


def saturating(most: int) -> Float[Tensor, "1 value 1"]:
    """A code for counts 0 ... `most` of what attention finds beside one more position that it attends to as well."""
    return graded(-1 / (1 + torch.arange(most + 1)[None]), reach=8.0)
