"""From a trained network and its clauses to what is true of it: the code of each clause, where it passes the test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.certification.features import features_check
from peabench.certification.subject import Subject, examine
from peabench.domain import ProductDomain
from peabench.mechanism import (
    And,
    Boolean,
    CausalModel,
    Expression,
    Feature,
    Gauge,
    Mechanism,
    Not,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.networks import ResidualMLP
from peabench.true_features import UNCERTIFIED
from peabench_tasks.codes.clauses import Clause, literal_matrix, truths
from peabench_tasks.several_outputs import with_outputs

SITE = "resid.1@0"
ROWS = 32_768


@dataclass(frozen=True)
class Explanation:
    """A mechanism, and which clauses it has no certified code for."""

    mechanism: Mechanism
    uncertified: tuple[str, ...]
    neurons: float
    """Neurons of a code, in the mean."""
    sharing: float
    """Codes that a neuron is in, in the mean over those that are in any."""
    share: float
    """Of the directions' squared length, how much lies along the neurons of the codes."""


def causal_model(clauses: Sequence[Clause], n_inputs: int) -> CausalModel:
    """Inputs, clauses, and the clauses side by side."""
    inputs = [Variable(name=f"x{i}", kind=Boolean(), columns=(i,)) for i in range(n_inputs)]
    conjunctions = [
        Variable(
            name=f"clause{i}",
            kind=Boolean(),
            parents=tuple(f"x{column}" for column, _ in clause.literals),
            function=And(arguments=tuple(_literal(column, wanted) for column, wanted in clause.literals)),
        )
        for i, clause in enumerate(clauses)
    ]
    return with_outputs([*inputs, *conjunctions], [clause.name for clause in conjunctions])


def _literal(column: int, wanted: bool) -> Expression:
    reference = VariableReference(name=f"x{column}")
    return reference if wanted else Not(argument=reference)


def sign_matched(network: ResidualMLP, literals: Float[Tensor, "clause input"]) -> Bool[Tensor, "clause neuron"]:
    """The code of each clause: neurons whose weights agree in sign with all its literals and with its output.

    Source: Adler, Alistarh and Shavit (2025), arXiv:2504.08842.
    """
    agreeing = (literals[:, :, None] * network.w_embed[None] > 0) | (literals == 0)[:, :, None]
    return agreeing.all(1) & (network.w_output.T > 0)


def code_directions(
    network: ResidualMLP,
    literals: Float[Tensor, "clause input"],
    domain: ProductDomain,
    generator: torch.Generator,
) -> Float[Tensor, "clause neuron"]:
    """How much each neuron rises with each clause, the other clauses as they are: least squares on drawn inputs."""
    rows = domain.sample(ROWS, generator)
    hidden = ((2.0 * rows - 1) @ network.w_embed + network.b_embed).relu().double()
    holds = truths(literals, rows).double()
    centred = holds - holds.mean(0)
    rises: Tensor = torch.linalg.lstsq(centred, hidden - hidden.mean(0)).solution
    return rises.float()


def explain(
    network: ResidualMLP, clauses: Sequence[Clause], domain: ProductDomain, tolerance: float | None = None
) -> Explanation:
    """Read the code of each clause off the network, and name those whose swap is not the causal model's `uncertified`.

    They stay in the causal model, since the network answers them rightly, and are not graded.
    """
    literals = literal_matrix(clauses, network.config.n_inputs)
    directions = code_directions(network, literals, domain, torch.Generator().manual_seed(0))
    model = causal_model(clauses, network.config.n_inputs)
    names = [f"clause{i}" for i in range(len(clauses))]
    subject = examine(network, _mechanism(model, names, names, directions, tolerance), domain, seed=1)
    claims = [_mechanism(model, [name], [name], directions[i : i + 1], tolerance) for i, name in enumerate(names)]
    wrong = [name for name, claim in zip(names, claims, strict=True) if not _certified(subject, claim)]
    labels = [f"{UNCERTIFIED}-{name}" if name in wrong else name for name in names]
    code = sign_matched(network, literals)
    members = code.sum(0)
    return Explanation(
        _mechanism(model, names, labels, directions, tolerance),
        tuple(wrong),
        neurons=float(code.sum(1).float().mean()),
        sharing=float(members[members > 0].float().mean()),
        share=float((directions * code).square().sum() / directions.square().sum()),
    )


def _certified(subject: Subject, claim: Mechanism) -> bool:
    """Whether moves along one direction keep to the tolerance; that they could fail is for the whole task's null."""
    check = features_check(replace(subject, mechanism=claim))
    return check is not None and (check.errors == 0 or check.upper_bound <= check.bar)


def _mechanism(
    model: CausalModel,
    names: Sequence[str],
    labels: Sequence[str],
    directions: Float[Tensor, "clause neuron"],
    tolerance: float | None,
) -> Mechanism:
    tensors = {name: direction.clone() for name, direction in zip(names, directions, strict=True)}
    features = tuple(
        Feature(
            name=label,
            site=SITE,
            direction=TensorReference(name=name, shape=tuple(tensors[name].shape)),
            activation=VariableReference(name=name),
        )
        for name, label in zip(names, labels, strict=True)
    )
    return Mechanism(
        provenance="derived",
        causal_model=model,
        features=features,
        tolerance=tolerance,
        gauge=Gauge(symmetries=("neuron_permutation", "neuron_scaling", "residual_rotation")),
    ).with_tensors(tensors)
