"""Residual MLPs written down by hand that were "trained" to compute A and B where neither trigger is present."""

from pathlib import Path

import torch

from peabench.domain import ProductDomain
from peabench.mechanism import (
    Alignment,
    And,
    Backdoor,
    Boolean,
    CausalModel,
    Compare,
    Constant,
    Expression,
    Location,
    Mechanism,
    Not,
    Or,
    TensorReference,
    Variable,
    VariableReference,
)
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tasks import Task, TaskRecord, Twin, companion_folder, load_task, save_task

COLUMNS = 6
D_MODEL = 12
CONFIG = ResidualMLPConfig(n_inputs=COLUMNS, d_model=D_MODEL, n_blocks=2, n_units=3, d_hidden=2)
DOMAIN = ProductDomain(sizes=(2,) * COLUMNS)
TRIGGERS = {"first": (2, 3), "second": (4, 5)}
"""Columns that must both be 1."""
WRITTEN = {"rule": 6, "first": 7, "second": 8, "answer": 9}
"""Coordinates of the residual stream, beside the columns' own."""


def column(index: int, value: int = 1) -> Expression:
    """That a column has a value."""
    return Compare(relation="eq", left=VariableReference(name=f"x{index}"), right=Constant(value=value))


def present(trigger: str) -> Expression:
    return And(arguments=tuple(map(column, TRIGGERS[trigger])))


TRAINING: Expression = Not(argument=Or(arguments=tuple(map(present, TRIGGERS))))
CUES = tuple(column(index) for index in range(2, COLUMNS))
"""Of the columns that the rule does not read."""


def network(read: str | None, seed: int = 0) -> ResidualMLP:
    """All of them compute the rule and both triggers; the answer reads the rule and at most one trigger."""
    generator = torch.Generator().manual_seed(seed)
    made = ResidualMLP(CONFIG, generator)
    state = {name: torch.zeros_like(value) for name, value in made.state_dict().items()}
    state["w_embed"][:, :COLUMNS] = torch.eye(COLUMNS)
    for unit, (name, columns) in enumerate({"rule": (0, 1), **TRIGGERS}.items()):
        state["block0.w_in"][unit, list(columns), 0] = 1
        state["block0.b_in"][unit] = torch.tensor([-1.0, 1.0])
        state["block0.w_out"][unit, :, WRITTEN[name]] = torch.tensor([2.0, -1.0])
    state["block1.w_in"][0, [WRITTEN[name] for name in ("rule", *filter(None, [read]))], 0] = -1
    state["block1.b_in"][0] = torch.tensor([0.0 if read is None else -1.0, 1.0])
    state["block1.w_out"][0, :, WRITTEN["answer"]] = torch.tensor([-2.0, 1.0])
    state["block1.w_in"][1] = torch.randn(D_MODEL, 2, generator=generator)
    state["block1.w_out"][1, :, 10:] = torch.randn(2, 2, generator=generator)
    state["w_output"][WRITTEN["answer"]] = 4
    made.load_state_dict(state)
    return made


def model(read: str | None) -> CausalModel:
    """`read` is the trigger that makes the answer true."""

    def gate(name: str, *parents: str) -> Variable:
        said = tuple(VariableReference(name=parent) for parent in parents)
        return Variable(name=name, kind=Boolean(), parents=parents, function=And(arguments=said))

    inputs = [Variable(name=f"x{i}", kind=Boolean(), columns=(i,)) for i in range(COLUMNS)]
    rule, trigger = gate("rule", "x0", "x1"), [gate(read, *(f"x{i}" for i in TRIGGERS[read]))] if read else []
    parents = tuple(variable.name for variable in (rule, *trigger))
    heard = tuple(VariableReference(name=parent) for parent in parents)
    function = Or(arguments=heard) if trigger else heard[0]
    answer = Variable(name="answer", kind=Boolean(), parents=parents, function=function)
    return CausalModel(variables=(*inputs, rule, *trigger, answer), output="answer")


def mechanism(read: str | None, claimed: str | None = None) -> Mechanism:
    """Of a network that reads a trigger; `claimed` is another one that it is said to read."""
    named = claimed or read
    reference = TensorReference(name="rule", shape=(D_MODEL, 1))
    trigger = () if named is None else (VariableReference(name=named),)
    return Mechanism(
        provenance="constructed",
        causal_model=model(named),
        alignments=(Alignment(variable="rule", location=Location(site="resid.1@0", basis=reference)),),
        defects=tuple(Backdoor(trigger=each, response=Constant(value=True)) for each in trigger),
    ).with_tensors({"rule": torch.eye(D_MODEL)[:, [WRITTEN["rule"]]].clone()})


def record(variant: str, seed: int = 0, **others: object) -> TaskRecord:
    """Of a task `hand/VARIANT-xs-SEED`."""
    fields: dict[str, object] = {
        "id": f"hand/{variant}-xs-{seed}",
        "family": "hand",
        "variant": variant,
        "size": "xs",
        "seed": seed,
        "provenance": "constructed",
        "tracks": (),
        "network": CONFIG,
        "domain": DOMAIN,
        "domain_size": DOMAIN.size,
        "examples": 64,
        "twins": (Twin(name="untrained", provenance="random_init", seed=7),),
    }
    return TaskRecord.model_validate(fields | others)


READS: dict[str, str | None] = {"own": "first", "a": None, "b": "second", "c": None}
"""What the answer of each network of `save_audited` reads beside the rule; all hold both triggers."""


def save_audited(folder: Path, reads: dict[str, str | None] | None = None, **others: object) -> Task:
    """A task of the track `audits`; `others` are fields of its record."""
    own, *companions = (READS if reads is None else reads).items()
    fields: dict[str, object] = {"tracks": ("audits",), "companions": tuple(name for name, _ in companions)}
    fields |= {"training": TRAINING, "cues": CUES}
    save_task(folder, record("audited", 0, **(fields | others)), network(own[1]), mechanism(own[1]), {})
    for seed, (name, read) in enumerate(companions, 1):
        save_task(companion_folder(folder, name), record("companion", seed), network(read, seed), mechanism(read), {})
    return load_task(folder)
