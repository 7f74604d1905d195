"""Transformers put together from a plan: heads that fetch, neurons that compute gates, and what is random beside them.

The stream is cut into directions for tokens, positions, gates, what is fetched, and a rest. Heads attend softly: most
of what they bring is of the position that they are there for, some of all others; neurons learn their gates with that
much noise. Idle heads fetch what nobody reads, idle neurons are random, and both write in the rest. Every weight is
then changed a little, so that no edge is exactly absent.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.generators import generator_of
from peabench.interventions import run_with_cache
from peabench.networks import Transformer
from peabench.training.stacked import orthonormal
from peabench_tasks.boolean.formulas import Gate
from peabench_tasks.distributive.attending.plan import OUTPUT, Fetch, Plan
from peabench_tasks.margins import MARGIN
from peabench_tasks.planting.program import simplex
from peabench_tasks.units.assembly import Stream
from peabench_tasks.units.lessons import LEARNT, STEPS, Lesson, NotLearnt, learn_examples
from peabench_tasks.ways.two_logits import deciding_neurons

TOKENS, POSITIONS = "tokens", "positions"
NEURONS = 6
"""Hidden neurons of each gate."""
LEAST_SHARE, GREATEST_SHARE = 0.85, 0.95
"""Of a head's attention at the last position: what is on the position that it is there for."""
NOISE = {True: 0.2, False: 0.1}
"""Standard deviation of what is added to what a gate reads while it is learnt: whether a head fetches it."""
WANDERING = 0.4
"""Most by which a token raises or lowers the attention score of its position."""
LEAK = 0.004
"""Standard deviation of what is added to every weight, as a share of its matrix's."""


def cut(plan: Plan) -> Stream:
    """Directions of the stream for tokens, positions, each gate, and what each head fetches, by `fetched_name`.

    Raises:
        RuntimeError: it is too narrow.
    """
    sizes = {TOKENS: 1, POSITIONS: plan.config.n_positions - 1}
    sizes |= {gate.name: 1 for gate in plan.formula.gates}
    sizes |= {fetched_name(fetch): 1 for fetch in plan.fetches}
    return Stream.dealt(sizes, plan.config.d_model, plan.seed)


def fetched_name(fetch: Fetch) -> str:
    """What a head fetches, among the stream's directions."""
    return f"{fetch.variable} in block {fetch.block}"


def learn_gate(plan: Plan, gate: Gate, generator: torch.Generator, steps: int = STEPS) -> Lesson:
    """Neurons that compute a gate from its parents' signs.

    Args:
        plan: of the network.
        gate: one of its gates.
        generator: of starts and examples.
        steps: of the first round.

    Raises:
        NotLearnt: they do not.
    """
    parents = plan.formula.read[gate.name]
    rows = ProductDomain(sizes=(2,) * len(parents)).all()
    table = torch.from_numpy(plan.formula.table(gate))
    value = table[(rows << torch.arange(len(parents))).sum(1)]
    noise = torch.tensor([NOISE[(plan.blocks[gate.name], parent) in plan.fetched] for parent in parents])
    lesson = learn_examples(rows * 2.0 - 1, value[:, None] * 2.0 - 1, NEURONS, generator, noise, steps)
    if lesson.distance < LEARNT:
        return lesson
    raise NotLearnt(f"{gate.operation} of {len(parents)} was not learnt: {lesson.distance:.2f} off")


@torch.no_grad()
def assemble(plan: Plan, lessons: Mapping[str, Lesson], stream: Stream) -> Transformer:
    """The network of a plan.

    Args:
        plan: which head fetches what, and which block computes which gate.
        lessons: of every gate but the output.
        stream: where what is written.
    """
    generator = generator_of(plan.seed)
    network = Transformer(plan.config, generator)
    corners = simplex(plan.config.n_positions)[0]
    network.w_embed.copy_(torch.tensor([[-1.0], [1.0]]) @ stream.directions(TOKENS).T)
    network.w_position.copy_(corners @ stream.directions(POSITIONS).T)
    free = []
    for block in range(plan.config.n_blocks):
        mlp = network.block(block).mlp
        mlp.w_out.copy_(mlp.w_out @ stream.rest @ stream.rest.T)
        neurons = torch.randperm(plan.config.d_mlp, generator=generator).split(NEURONS)
        computed = [name for name in lessons if plan.blocks[name] == block]
        for name, some in zip(computed, neurons, strict=False):
            reads = torch.cat([reading(plan, stream, name, parent) for parent in plan.formula.read[name]], 1)
            mlp.w_in[:, some] = reads @ lessons[name].w_in
            mlp.b_in[some] = lessons[name].b_in
            mlp.w_out[some] = plan.strength(name) * lessons[name].w_out @ stream.directions(name).T
        free.append(torch.cat(neurons[len(computed) :]))
    for fetch in plan.fetches:
        put(network, stream, fetch, corners, stream.directions(fetched_name(fetch))[:, 0], generator)
    for fetch in plan.idle:
        target = torch.nn.functional.normalize(torch.randn(stream.rest.shape[1], generator=generator), dim=0)
        put(network, stream, fetch, corners, stream.rest @ target, generator)
    for weight in network.parameters():
        if weight.dim() > 1:
            weight.add_(LEAK * weight.std() * torch.randn(weight.shape, generator=generator))
    decide(network, plan, stream, free[plan.blocks[OUTPUT]])
    return network


def decide(network: Transformer, plan: Plan, stream: Stream, free: Int[Tensor, " neuron"]) -> None:
    """Write down the neurons of the output, and leave nothing else in the direction that it reads.

    Args:
        network: all the rest of which is there.
        plan: of the network.
        stream: where what is written.
        free: neurons of the output's block that compute nothing.
    """
    config, block = plan.config, plan.blocks[OUTPUT]
    direction = stream.directions(OUTPUT)[:, 0]
    blocks = [network.block(number) for number in range(config.n_blocks)]
    for written in (
        *(network.w_embed, network.w_position),
        *(part for some in blocks for part in (some.attention.w_o, some.mlp.w_out)),
    ):
        written.sub_((written @ direction)[..., None] * direction)
    rows = ProductDomain(sizes=(2,) * config.n_positions).all()
    values = plan.formula.run(rows.bool().numpy())
    root, parents = plan.formula.gates[-1], plan.formula.read[OUTPUT]
    true = torch.stack([torch.from_numpy(values[name]) for name in parents], 1)
    read = torch.cat([reading(plan, stream, OUTPUT, parent) for parent in parents], 1)
    before_mlp = network.graph.first_stage_of_block(block) + 1
    seen = run_with_cache(network, rows).stage_inputs[before_mlp, :, -1] @ read
    unit = deciding_neurons(plan.formula, root, seen, true)
    if len(unit.bias) > len(free):
        raise RuntimeError(f"{root} takes {len(unit.bias)} neurons, and {len(free)} are free")
    some, mlp = free[: len(unit.bias)], blocks[block].mlp
    mlp.w_in[:, some] = read @ unit.weights
    mlp.b_in[some] = unit.bias
    mlp.w_out[some] = unit.out[:, None] * direction
    network.w_output[:, 0] = MARGIN * direction
    network.b_output.fill_(unit.rest * MARGIN)


def reading(plan: Plan, stream: Stream, name: str, parent: str) -> Float[Tensor, "d_model 1"]:
    """What takes the sign of a gate's parent out of the stream."""
    fetch = plan.fetched.get((plan.blocks[name], parent))
    return stream.directions(parent if fetch is None else fetched_name(fetch)) / plan.strength(parent)


def put(
    network: Transformer,
    stream: Stream,
    fetch: Fetch,
    corners: Float[Tensor, "position k"],
    target: Float[Tensor, " d_model"],
    generator: torch.Generator,
) -> None:
    """Make a head bring what stands at a position, at its own strength, into a direction of the stream.

    Its queries are constant; its keys say whether a position is the one that it is there for, and lean a little towards
    one of the two tokens. Of its values one coordinate is the variable, the others are random and written in the rest.
    """
    attention, config = network.block(fetch.block).attention, network.config
    share = LEAST_SHARE + (GREATEST_SHARE - LEAST_SHARE) * float(torch.rand((), generator=generator))
    lead = math.log(share / (1 - share) * (config.n_positions - 1))
    corner, size = corners[fetch.position], config.d_head
    apart = float(corner @ corner - corner @ corners[fetch.position - 1])
    turn, turn_values = (orthonormal((size, size), generator) for _ in range(2))
    leaning = WANDERING * (2 * float(torch.rand((), generator=generator)) - 1)
    nearness = stream.directions(POSITIONS) @ corner * (lead / apart) + stream.directions(TOKENS)[:, 0] * leaning
    attention.b_qkv[fetch.head, 0] = turn[0] * size**0.25
    attention.w_qkv[fetch.head, 0] = 0
    attention.w_qkv[fetch.head, 1] = torch.outer(nearness, turn[0]) * size**0.25
    source = stream.directions(fetch.variable if fetch.variable in stream.spans else TOKENS)
    beside = torch.randn(config.d_model, size - 1, generator=generator) / config.d_model**0.5
    attention.w_qkv[fetch.head, 2] = torch.cat([source, beside], 1) @ turn_values
    rest = stream.rest @ torch.randn(stream.rest.shape[1], size - 1, generator=generator) / stream.rest.shape[1] ** 0.5
    attention.w_o[fetch.head] = turn_values.T @ torch.cat([target[:, None] / share, rest], 1).T
