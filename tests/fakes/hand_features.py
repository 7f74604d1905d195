"""Networks written down by hand whose features are the rows of an embedding, so that all of them are known exactly."""

import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import (
    And,
    Boolean,
    CausalModel,
    Compare,
    Constant,
    Expression,
    Feature,
    Mechanism,
    Or,
    Range,
    Table,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tasks import Task, TaskRecord, Twin, load_task, save_task

FREQUENCIES = (0.4, 0.3, 0.2, 0.1, 0.05, 0.005)
D_MODEL = 8
SITE = "resid.0@0"
DAYS = 7


def reads(name: str) -> VariableReference:
    return VariableReference(name=name)


def is_value(name: str, value: int) -> Expression:
    return Compare(relation="eq", left=reads(name), right=Constant(value=value))


def side_by_side(parts: list[Expression]) -> Expression:
    """One Boolean for each expression, as a sequence."""
    alone = [
        And(arguments=(part, Constant(value=tuple(at == i for at in range(len(parts))))))
        for i, part in enumerate(parts)
    ]
    return Or(arguments=tuple(alone))


def model_of(inputs: list[Variable], parts: list[Expression]) -> CausalModel:
    names = tuple(variable.name for variable in inputs)
    function = side_by_side(parts)
    output = Variable(
        name="answer", kind=Boolean(length=len(parts)), parents=names, function=function, description="nobody is told"
    )
    return CausalModel(variables=(*inputs, output), output="answer")


def slanted(count: int, d_model: int, seed: int = 0) -> Float[Tensor, "count d_model"]:
    rows = torch.randn(count, d_model, generator=torch.Generator().manual_seed(seed))
    unit: Tensor = rows / rows.norm(dim=1, keepdim=True)
    return unit


def save(folder: Path, network: ResidualMLP, mechanism: Mechanism, domain: ProductDomain, examples: int = 2000) -> Task:
    record = TaskRecord(
        id="hand/features-xs-0",
        family="hand",
        variant="features",
        size="xs",
        seed=0,
        provenance="constructed",
        tracks=("features",),
        network=network.config,
        domain=domain,
        domain_size=domain.size,
        examples=examples,
        twins=(Twin(name="untrained", provenance="random_init", seed=7),),
    )
    save_task(folder, record, network, mechanism, {})
    return load_task(folder)


def with_rows(config: ResidualMLPConfig, rows: Tensor, readout: Tensor, bias: Tensor) -> ResidualMLP:
    """A network that embeds by these rows and reads out from the embedding; its block is idle."""
    made = ResidualMLP(config, torch.Generator().manual_seed(0))
    state = {name: torch.zeros_like(value) for name, value in made.state_dict().items()}
    made.load_state_dict(state | {"w_embed": rows, "w_output": readout, "b_output": bias})
    return made


def independent(rows: Float[Tensor, "feature d_model"]) -> tuple[ResidualMLP, Mechanism]:
    """Features that fire independently, each of an input column of its own (-1 and +1) and with a logit of its own."""
    count, d_model = rows.shape
    config = ResidualMLPConfig(n_inputs=count, d_model=d_model, n_blocks=1, n_units=1, d_hidden=4, d_output=count)
    made = with_rows(config, rows, torch.linalg.pinv(rows), torch.zeros(count))
    names = [f"x{i}" for i in range(count)]
    inputs = [Variable(name=name, kind=Boolean(), columns=(i,)) for i, name in enumerate(names)]
    tensors = {name: 2 * row.clone() for name, row in zip(names, rows, strict=True)}
    features = [feature(name, d_model, reads(name)) for name in names]
    model = model_of(inputs, [reads(name) for name in names])
    return made, Mechanism(provenance="constructed", causal_model=model, features=tuple(features)).with_tensors(tensors)


def feature(name: str, d_model: int, activation: Expression, **others: object) -> Feature:
    reference = TensorReference(name=name, shape=(d_model,))
    return Feature.model_validate(
        {"name": name, "site": SITE, "direction": reference, "activation": activation, **others}
    )


def save_independent(
    folder: Path, rows: Tensor | None = None, frequencies: tuple[float, ...] = FREQUENCIES, examples: int = 2000
) -> Task:
    """Six features in eight dimensions, or those given."""
    rows = slanted(len(frequencies), D_MODEL) if rows is None else rows
    domain = ProductDomain(sizes=(2,) * len(rows), frequency=tuple((1 - p, p) for p in frequencies))
    return save(folder, *independent(rows), domain, examples)


def save_shapes(folder: Path) -> Task:
    """Features of every shape: a circle of days, a parent with two children, a signed one, and an unused decoy.

    Words are embedded by rows that are sums of the features' directions: eight of them in twelve dimensions.
    """
    d_model = 12
    turn = torch.linalg.qr(torch.randn(d_model, d_model, generator=torch.Generator().manual_seed(3))).Q
    day_x, day_y, parent, child0, child1, signed, decoy = turn[:7]
    angles = [2 * math.pi * day / DAYS for day in range(DAYS)]
    rows = [math.cos(angle) * day_x + math.sin(angle) * day_y for angle in angles]
    rows += [torch.zeros(d_model), parent, parent + child0, parent + child1]
    rows += [-signed, torch.zeros(d_model), signed]
    rows += [torch.zeros(d_model), decoy]
    sizes = (DAYS, 4, 3, 2)
    starts = (0, 7, 11, 14)
    readout = [math.cos(angle) * day_x + math.sin(angle) * day_y for angle in angles]
    readout += [parent, child0, child1, signed, -signed]
    bias = [-0.8] * DAYS + [-0.5] * 5
    config = ResidualMLPConfig(
        n_inputs=4,
        d_model=d_model,
        n_blocks=1,
        n_units=1,
        d_hidden=4,
        d_output=12,
        words=tuple(zip(starts, sizes, strict=True)),
    )
    made = with_rows(config, torch.stack(rows), torch.stack(readout, 1), torch.tensor(bias))
    names = ("day", "tree", "sign", "idle")
    inputs = [
        Variable(name=name, kind=Range(low=0, high=size - 1), columns=(i,))
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]
    parts = [is_value("day", day) for day in range(DAYS)]
    parts += [Compare(relation="ge", left=reads("tree"), right=Constant(value=1))]
    parts += [is_value("tree", 2), is_value("tree", 3), is_value("sign", 2), is_value("sign", 0)]
    inner = [variable for variable in inputs if variable.name != "idle"]
    output = model_of(inner, parts).variable("answer")
    model = CausalModel(variables=(*inputs, output), output="answer")

    def looked_up(name: str, values: list[float]) -> Expression:
        return Table(arguments=(reads(name),), shape=(len(values),), values=tuple(values))

    circle = {"subspace": "day"}
    features = (
        feature("day_x", d_model, looked_up("day", [math.cos(angle) for angle in angles]), **circle),
        feature("day_y", d_model, looked_up("day", [math.sin(angle) for angle in angles]), **circle),
        feature("parent", d_model, Compare(relation="ge", left=reads("tree"), right=Constant(value=1))),
        feature("child0", d_model, is_value("tree", 2), parents=("parent",)),
        feature("child1", d_model, is_value("tree", 3), parents=("parent",)),
        feature("signed", d_model, looked_up("sign", [-1.0, 0.0, 1.0])),
        feature("decoy", d_model, is_value("idle", 1)),
    )
    directions = (day_x, day_y, parent, child0, child1, signed, decoy)
    tensors = {item.name: row.clone() for item, row in zip(features, directions, strict=True)}
    mechanism = Mechanism(provenance="constructed", causal_model=model, features=features).with_tensors(tensors)
    frequency = (None, (0.7, 0.1, 0.1, 0.1), (0.1, 0.8, 0.1), (0.8, 0.2))
    return save(folder, made, mechanism, ProductDomain(sizes=sizes, frequency=frequency))
