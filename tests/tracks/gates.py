"""A residual MLP written down by hand: the exclusive or of two conjunctions, one unit per gate, known exactly."""

from pathlib import Path

import torch

from peabench.domain import ProductDomain
from peabench.mechanism import (
    Alignment,
    And,
    Boolean,
    CausalModel,
    Circuit,
    CircuitEdge,
    Location,
    Mechanism,
    TensorReference,
    Variable,
    VariableReference,
    Xor,
)
from peabench.networks import ResidualMLP, ResidualMLPConfig
from peabench.tasks import Task, TaskRecord, Twin, load_task, save_task

D_MODEL = 12
N_INPUTS = 6
CONFIG = ResidualMLPConfig(n_inputs=N_INPUTS, d_model=D_MODEL, n_blocks=3, n_units=3, d_hidden=4)
UNITS = {"g0": (0, 1), "g1": (0, 2), "g2": (1, 0)}
"""(block, unit) of each gate; all other units write noise where nobody reads."""


def causal_model() -> CausalModel:
    def gate(name: str, operation: type[And] | type[Xor], *parents: str) -> Variable:
        arguments = tuple(VariableReference(name=parent) for parent in parents)
        return Variable(name=name, kind=Boolean(), parents=parents, function=operation(arguments=arguments))

    inputs = [Variable(name=f"x{i}", kind=Boolean(), columns=(i,)) for i in range(N_INPUTS)]
    gates = [gate("g0", And, "x0", "x1"), gate("g1", And, "x2", "x3"), gate("g2", Xor, "g0", "g1")]
    copy = Variable(name="answer", kind=Boolean(), parents=("g2",), function=VariableReference(name="g2"))
    return CausalModel(variables=(*inputs, *gates, copy), output="answer", description="spoken of by no question")


def network(seed: int = 0) -> ResidualMLP:
    """x_i is written at coordinate i, gate j at 6 + j, all as -1 and +1; coordinates 9 to 11 are noise."""
    generator = torch.Generator().manual_seed(seed)
    made = ResidualMLP(CONFIG, generator)
    state = {name: torch.zeros_like(value) for name, value in made.state_dict().items()}
    state["w_embed"][:, :N_INPUTS] = torch.eye(N_INPUTS)
    for block in range(CONFIG.n_blocks):
        for unit in range(CONFIG.n_units):
            if (block, unit) not in UNITS.values():
                state[f"block{block}.w_in"][unit] = torch.randn(D_MODEL, 4, generator=generator)
                state[f"block{block}.w_out"][unit, :, 9:] = torch.randn(4, 3, generator=generator)
    for gate, parents in {"g0": (0, 1), "g1": (2, 3)}.items():
        block, unit = UNITS[gate]
        state[f"block{block}.w_in"][unit, list(parents), 0] = 1
        state[f"block{block}.b_in"][unit, :2] = torch.tensor([-1.0, 1.0])
        state[f"block{block}.w_out"][unit, :2, 6 + int(gate[1])] = torch.tensor([2.0, -1.0])
    block, unit = UNITS["g2"]
    state[f"block{block}.w_in"][unit, 6:8, :2] = torch.tensor([[1.0, -1.0], [1.0, -1.0]])
    state[f"block{block}.b_in"][unit, :3] = torch.tensor([-1.0, -1.0, 1.0])  # no neuron is ever at its kink
    state[f"block{block}.w_out"][unit, :3, 8] = torch.tensor([-2.0, -2.0, 1.0])
    state["w_output"][8] = 4
    made.load_state_dict(state)
    return made


def network_with_a_bystander() -> ResidualMLP:
    """The same, with an idle unit that writes a copy of g0 at coordinate 9, where nobody reads."""
    made = network()
    with torch.no_grad():
        block = made.block(0)
        for weight in (block.w_in, block.b_in, block.w_out):
            weight[0] = weight[1]
        block.w_out[0] = block.w_out[0].roll(3, 1)
    return made


REQUIRED = {
    "block0.unit1 <- input0": ("x0", "g0"),
    "block0.unit1 <- input1": ("x1", "g0"),
    "block0.unit2 <- input2": ("x2", "g1"),
    "block0.unit2 <- input3": ("x3", "g1"),
    "block1.unit0 <- block0.unit1": ("g0", "g2"),
    "block1.unit0 <- block0.unit2": ("g1", "g2"),
    "output <- block1.unit0": ("g2", "answer"),
}


def mechanism() -> Mechanism:
    places = {"g0": ["resid.1@0"], "g1": ["resid.1@0"], "g2": ["resid.2@0", "resid.3@0"]}
    tensors, alignments = {}, []
    for name, sites in places.items():
        tensors[name] = torch.eye(D_MODEL)[:, [6 + int(name[1])]].clone()
        reference = TensorReference(name=name, shape=(D_MODEL, 1))
        locations = [Location(site=site, basis=reference) for site in sites]
        alignments.append(Alignment(variable=name, location=locations[0], alternatives=tuple(locations[1:])))
    edges = [CircuitEdge(edge=edge, status="required", carries=(carried,)) for edge, carried in REQUIRED.items()]
    return Mechanism(
        provenance="constructed",
        causal_model=causal_model(),
        alignments=tuple(alignments),
        circuit=Circuit(edges=tuple(edges)),
    ).with_tensors(tensors)


def save_gates(folder: Path, made: ResidualMLP, truth: Mechanism, seed: int = 0, examples: int = 1000) -> Task:
    record = TaskRecord(
        id=f"hand/gates-xs-{seed}",
        family="hand",
        variant="gates",
        size="xs",
        seed=seed,
        provenance="constructed",
        tracks=("variables", "circuits"),
        network=CONFIG,
        domain=ProductDomain(sizes=(2,) * N_INPUTS),
        domain_size=2**N_INPUTS,
        examples=examples,
        twins=(Twin(name="untrained", provenance="random_init", seed=7),),
    )
    save_task(folder, record, made, truth, {})
    return load_task(folder)
