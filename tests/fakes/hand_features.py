"""Networks written down by hand whose features are the rows of an embedding, so that all of them are known exactly."""

from pathlib import Path

import torch
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import (
    And,
    Boolean,
    CausalModel,
    Constant,
    Expression,
    Feature,
    Mechanism,
    Or,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tasks import Task, TaskRecord, Twin, load_task, save_task

D_MODEL = 8
FREQUENCIES = (0.4, 0.3, 0.2, 0.1, 0.05, 0.005)
N_FEATURES = len(FREQUENCIES)
CONFIG = ResidualMLPConfig(n_inputs=N_FEATURES, d_model=D_MODEL, n_blocks=1, n_units=1, d_hidden=4, d_output=N_FEATURES)
SITE = "resid.0@0"


def reads(name: str) -> VariableReference:
    return VariableReference(name=name)


def side_by_side(names: list[str]) -> Expression:
    """One Boolean for each variable, as a sequence."""
    parts = [
        And(arguments=(reads(name), Constant(value=tuple(i == j for j in range(len(names))))))
        for i, name in enumerate(names)
    ]
    return Or(arguments=tuple(parts))


def causal_model(count: int = N_FEATURES) -> CausalModel:
    names = [f"x{i}" for i in range(count)]
    inputs = [Variable(name=name, kind=Boolean(), columns=(i,)) for i, name in enumerate(names)]
    output = Variable(name="answer", kind=Boolean(length=count), parents=tuple(names), function=side_by_side(names))
    return CausalModel(variables=(*inputs, output), output="answer", description="spoken of by no question")


def network(seed: int = 0) -> ResidualMLP:
    """Features lie along slanted directions, written as -1 and +1; each output reads one of them; the block is idle."""
    generator = torch.Generator().manual_seed(seed)
    made = ResidualMLP(CONFIG, generator)
    state = {name: torch.zeros_like(value) for name, value in made.state_dict().items()}
    rows = torch.randn(N_FEATURES, D_MODEL, generator=generator)
    state["w_embed"] = rows / rows.norm(dim=1, keepdim=True)
    state["w_output"] = torch.linalg.pinv(state["w_embed"])
    made.load_state_dict(state)
    return made


def mechanism(made: ResidualMLP) -> Mechanism:
    tensors: dict[str, Tensor] = {f"x{i}": 2 * row.detach().clone() for i, row in enumerate(made.w_embed)}
    features = tuple(
        Feature(
            name=name,
            site=SITE,
            direction=TensorReference(name=name, shape=(D_MODEL,)),
            activation=reads(name),
        )
        for name in tensors
    )
    return Mechanism(provenance="constructed", causal_model=causal_model(), features=features).with_tensors(tensors)


def save_features(folder: Path, made: ResidualMLP, truth: Mechanism, seed: int = 0, examples: int = 1000) -> Task:
    domain = ProductDomain(sizes=(2,) * N_FEATURES, frequency=tuple((1 - p, p) for p in FREQUENCIES))
    record = TaskRecord(
        id=f"hand/features-xs-{seed}",
        family="hand",
        variant="features",
        size="xs",
        seed=seed,
        provenance="constructed",
        tracks=("features",),
        network=CONFIG,
        domain=domain,
        domain_size=domain.size,
        examples=examples,
        twins=(Twin(name="untrained", provenance="random_init", seed=7),),
    )
    save_task(folder, record, made, truth, {})
    return load_task(folder)
