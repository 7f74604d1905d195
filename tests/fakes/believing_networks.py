"""Networks written down by hand, or solved for by least squares, that hold a known state in a known place."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.mechanism import (
    And,
    Beliefs,
    Boolean,
    Category,
    CausalModel,
    Constant,
    HiddenMarkovProcess,
    Mechanism,
    Readout,
    TensorReference,
    Variable,
    VariableReference,
    Xor,
)
from peabench.networks import ResidualMLP, ResidualMLPConfig, Transformer, TransformerConfig
from peabench.tasks import Task, TaskRecord, Twin, frozen, load_task, save_task

POSITIONS = 7
PROCESS = HiddenMarkovProcess(  # two fair bits, then their exclusive or
    transitions=(
        ((0, 0.5, 0, 0, 0), (0, 0, 0, 0.5, 0), (0, 0, 0, 0, 0.5), (1.0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
        ((0, 0, 0.5, 0, 0), (0, 0, 0, 0, 0.5), (0, 0, 0, 0.5, 0), (0, 0, 0, 0, 0), (1.0, 0, 0, 0, 0)),
    ),
    start=(1 / 3, 1 / 6, 1 / 6, 1 / 6, 1 / 6),
)
CONFIG = TransformerConfig(
    n_blocks=2,
    d_model=16,
    n_heads=2,
    d_head=8,
    d_mlp=512,
    n_positions=POSITIONS,
    d_vocabulary=2,
    d_output=2,
    causal=True,
)
WIDTH, COLUMNS = 10, 8


def filter_network(seed: int = 0) -> tuple[Transformer, Float[Tensor, "d_model k"]]:
    """A transformer that predicts PROCESS by way of its belief, and the orthonormal directions that hold it at resid.1.

    Its first MLP is solved for to write the belief there, its second to turn that into log-probabilities.
    """
    generator = torch.Generator().manual_seed(seed)
    network = Transformer(CONFIG, generator)
    frozen(network)
    turned = torch.linalg.qr(torch.randn(16, 16, generator=generator, dtype=torch.float64)).Q
    belief, logits = turned[:, :5], turned[:, 5:7]
    words = PROCESS.words(POSITIONS).tokens
    exact = PROCESS.beliefs(words).flatten(0, 1)
    with torch.no_grad():
        first, second = network.block(0), network.block(1)
        first.mlp.w_out.zero_()
        second.attention.w_o.zero_()
        second.mlp.w_out.zero_()
        before = run_with_cache(network, words).stage_inputs[1].flatten(0, 1)
        hidden = torch.relu(before @ first.mlp.w_in + first.mlp.b_in).double()
        wanted = torch.cat([2 * exact @ belief.T @ belief, torch.zeros(len(exact), 2, dtype=torch.float64)], 1)
        wanted -= before.double() @ torch.cat([belief, logits], 1)
        solved = torch.linalg.lstsq(hidden, wanted, driver="gelsd").solution
        first.mlp.w_out.copy_(solved @ torch.cat([belief, logits], 1).T)
        reading = torch.randn(5, 512, generator=generator, dtype=torch.float64)
        second.mlp.w_in.copy_(belief @ reading)
        second.mlp.b_in.copy_(torch.randn(512, generator=generator))
        hidden = torch.relu(2 * exact @ reading + second.mlp.b_in.double())
        aim = PROCESS.next_tokens(exact).clamp(min=1e-4).log()
        second.mlp.w_out.copy_(torch.linalg.lstsq(hidden, aim, driver="gelsd").solution @ logits.T)
        network.w_output.copy_(logits)
        network.b_output.zero_()
    return network, belief.float()


def tokens_model(positions: int = POSITIONS) -> CausalModel:
    """Tokens, and an output that nobody checks by classes."""
    tokens = Variable(name="tokens", kind=Category(values=2, length=positions), columns=tuple(range(positions)))
    return CausalModel(
        variables=(tokens, Variable(name="answer", kind=Boolean(), function=Constant(value=True))), output="answer"
    )


def read_out(
    site: str, matrix: Float[Tensor, "d_model k"], offset: Float[Tensor, " k"]
) -> tuple[Readout, dict[str, Tensor]]:
    """A read-out, and the tensors that it refers to."""
    names = {"matrix": matrix.float().contiguous(), "offset": offset.float()}
    references = {name: TensorReference(name=name, shape=tuple(tensor.shape)) for name, tensor in names.items()}
    return Readout(site=site, **references), names


def filter_mechanism(directions: Float[Tensor, "d_model k"]) -> Mechanism:
    readout, tensors = read_out("resid.1@*", directions / 2, torch.zeros(5))
    return Mechanism(
        provenance="planted",
        causal_model=tokens_model(),
        beliefs=Beliefs(process=PROCESS, readout=readout),
        tolerance=0.01,
    ).with_tensors(tensors)


def save_filter(folder: Path, examples: int = 16) -> Task:
    """A task of beliefs about the hidden state of PROCESS."""
    network, directions = filter_network()
    domain = ProductDomain(sizes=(2,) * POSITIONS)
    save_task(folder, _record("filter", CONFIG, domain, examples), network, filter_mechanism(directions), {})
    return load_task(folder)


def parity_network() -> ResidualMLP:
    """Columns at coordinates 0 to 7, a xor b at 8 after block 0, (a xor b) and c at 9 after block 1, all -1 and +1."""
    config = ResidualMLPConfig(n_inputs=COLUMNS, d_model=WIDTH, n_blocks=2, n_units=1, d_hidden=2)
    made = ResidualMLP(config, torch.Generator().manual_seed(0))
    state = {name: torch.zeros_like(value) for name, value in made.state_dict().items()}
    state["w_embed"][:, :COLUMNS] = torch.eye(COLUMNS)
    state["b_embed"][8] = -1.0
    state["block0.w_in"][0, [0, 1]] = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    state["block0.w_out"][0, :, 8] = 1.0
    state["block1.w_in"][0, [8, 2], 0] = 1.0
    state["block1.b_in"][0, 0] = -1.0
    state["block1.w_out"][0, 0, 9] = 2.0
    state["w_output"][9] = 4.0
    state["b_output"][0] = -4.0
    made.load_state_dict(state)
    frozen(made)
    return made


def parity_model() -> CausalModel:
    a, b, c, v = (VariableReference(name=name) for name in "abcv")
    return CausalModel(
        variables=(
            *(Variable(name=name, kind=Boolean(), columns=(i,)) for i, name in enumerate("abc")),
            Variable(name="v", kind=Boolean(), parents=("a", "b"), function=Xor(arguments=(a, b))),
            Variable(name="answer", kind=Boolean(), parents=("v", "c"), function=And(arguments=(v, c))),
        ),
        output="answer",
    )


def save_parity(folder: Path, examples: int = 64) -> Task:
    """A task of a belief that is a variable: a xor b."""
    network = parity_network()
    axis = torch.eye(WIDTH)[:, 8:9]
    readout, tensors = read_out("resid.1@0", axis / 2, torch.full((1,), 0.5))
    mechanism = Mechanism(
        provenance="constructed", causal_model=parity_model(), beliefs=Beliefs(variable="v", readout=readout)
    ).with_tensors(tensors)
    domain = ProductDomain(sizes=(2,) * COLUMNS)
    save_task(folder, _record("parity", network.config, domain, examples), network, mechanism, {})
    return load_task(folder)


def _record(variant: str, network: object, domain: ProductDomain, examples: int) -> TaskRecord:
    return TaskRecord.model_validate(
        {
            "id": f"hand/{variant}-xs-0",
            "family": "hand",
            "variant": variant,
            "size": "xs",
            "seed": 0,
            "provenance": "constructed" if variant == "parity" else "planted",
            "tracks": ("beliefs",),
            "network": network,
            "domain": domain,
            "domain_size": domain.size,
            "examples": examples,
            "twins": (Twin(name="untrained", provenance="random_init", seed=7),),
        }
    )
