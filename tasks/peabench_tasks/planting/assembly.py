"""Networks put together from lessons: each step in its place, its shadow in an idle one, and planted directions drawn.

The stream is cut into the planted subspaces, those of the shadows, one for the tokens, one for the positions and a
rest. A *shadow* is an idle node that computes a step as well, from the same parents or their shadows, and writes it
where nothing of the circuit reads: variables that can be decoded are no sign of a circuit. The shadows *sway* the
output too, always by less than would change the answer: nor is an effect on logits. Other idle nodes lie *dormant*
(`peabench_tasks.planting.dormant`): nor are weights that fit one another.
"""

from dataclasses import dataclass, replace
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.networks import Transformer
from peabench.networks.config import TransformerConfig
from peabench.training.stacked import orthonormal
from peabench_tasks.planting.dormant import (
    Place,
    add_empty_channels,
    draw_dormant,
    idle_places,
    make_up_for_constants,
    put_to_sleep,
)
from peabench_tasks.planting.lessons import Lesson, code_of, parents_of, ports_of
from peabench_tasks.planting.placement import Placement
from peabench_tasks.planting.program import TOKENS, Program, simplex
from peabench_tasks.planting.subspaces import planted_size, subspaces

CONFIDENCE = 20.0
"""Logit of the right answer above that of the likeliest other one while the network is trained: so large that nothing
is gained by swaying less."""
SWAY = 0.75
"""How far all that sways can move the output together, as a share of the way to where the answer changes."""
LEAK = 0.004
"""Standard deviation of what is added to every weight, as a share of its matrix's: without it no node would read what
others write but its parents, and absent edges had no effect at all."""
SHADOWS = 0.9
"""Share of idle nodes that become shadows if there is room; others lie dormant."""
LEAST_REST = 2
"""Directions of the stream that are at least left to what is no part of the circuit."""


@dataclass(frozen=True)
class Shadow:
    """An idle node that computes a step too."""

    variable: str
    place: Place
    parents: dict[str, str | None]
    """By the name of a parent, the shadow that is read in its place, `variable/number`, or None."""
    name: str
    sway: float
    """How far it moves the output, as a share of the way to where the answer changes."""


def draw_shadows(placement: Placement, seed: int, room: int) -> list[Shadow]:
    """Most idle nodes each get a step that may be computed there, while there is room in the stream."""
    program, config = placement.program, placement.config
    rng = Random(f"shadows/{program.name}/{config.n_blocks}/{config.n_heads}/{seed}")
    idle = [place for place in idle_places(placement) if rng.random() < SHADOWS]
    found: list[Shadow] = []
    moments = {TOKENS: -1} | {step.variable: placement.moment(step.variable) for step in program.steps}
    for block, head in idle:
        now = 2 * block + (head is None)
        choices = []
        for step in program.steps:
            if (step.part == "mlp") != (head is None) or step.code.shape[-1] > room:
                continue
            read: dict[str, list[str | None]] = {}
            for parent in program.parents(step.variable):
                shadows: list[str | None] = [s.name for s in found if s.variable == parent and moments[s.name] < now]
                read[parent] = shadows + ([None] if moments[parent] < now else [])
            if all(read.values()):
                choices.append((step, {parent: rng.choice(some) for parent, some in read.items()}))
        if not choices:
            continue
        step, parents = rng.choice(choices)
        shadow = Shadow(step.variable, (block, head), parents, f"{step.variable}/{len(found)}", 0.0)
        moments[shadow.name] = now
        room -= step.code.shape[-1]
        found.append(shadow)
    shares = [1 + rng.expovariate(1.0) ** 2 for _ in found]  # a few of them sway most
    return [replace(shadow, sway=SWAY * share / sum(shares)) for shadow, share in zip(found, shares, strict=True)]


@dataclass
class Stream:
    """Where the stream of one network holds what."""

    basis: Float[Tensor, "d_model d_model"]
    spans: dict[str, slice]
    """Of steps, shadows, tokens and positions."""
    rest: slice

    def directions(self, name: str) -> Float[Tensor, "d_model k"]:
        """The directions of a step, a shadow, the tokens or the positions."""
        return self.basis[:, self.spans[name]]


POSITIONS = "positions"


def room_for_shadows(program: Program, config: TransformerConfig) -> int:
    """Directions left beside the planted ones, tokens and positions.

    Raises:
        RuntimeError: the stream is too narrow for the program.
    """
    needed = planted_size(program) + max(program.domain.sizes) - 1 + program.n_positions - 1 + LEAST_REST
    if needed > config.d_model:
        raise RuntimeError(f"{program.name} needs {needed} directions, and d_model is {config.d_model}")
    return config.d_model - needed


def cut(placement: Placement, shadows: list[Shadow], seed: int) -> Stream:
    """A random basis, and which of its directions hold what; the planted ones come first."""
    program, d_model = placement.program, placement.config.d_model
    basis = orthonormal((d_model, d_model), torch.Generator().manual_seed(seed))
    spans, at = dict(subspaces(program)), planted_size(program)
    sizes = [(TOKENS, max(program.domain.sizes) - 1), (POSITIONS, program.n_positions - 1)]
    sizes += [(shadow.name, program.step(shadow.variable).code.shape[-1]) for shadow in shadows]
    for name, size in sizes:
        spans[name] = slice(at, at + size)
        at += size
    return Stream(basis, spans, slice(at, d_model))


@torch.no_grad()
def assemble(
    placement: Placement,
    lessons: dict[str, Lesson],
    stream: Stream,
    shadows: list[Shadow],
    candidate: dict[str, int],
    seed: int,
) -> Transformer:
    """The network with every step in its place; idle nodes that nothing fits are random and write in the rest.

    Args:
        placement: the program in its network.
        lessons: of every step.
        stream: where the stream holds what.
        shadows: idle nodes that compute steps.
        candidate: which of each lesson's candidates is used; shadows use others.
        seed: of what is random.
    """
    program, config = placement.program, placement.config
    network = Transformer(config, torch.Generator().manual_seed(seed))
    silent, rest = stream.basis[:, stream.rest.start], stream.basis[:, stream.rest.start + 1 : stream.rest.stop]
    elsewhere = rest @ rest.T
    network.w_embed.copy_(simplex(config.d_vocabulary)[0] @ stream.directions(TOKENS).T)
    network.w_position.copy_(simplex(config.n_positions)[0] @ stream.directions(POSITIONS).T)
    for block in range(config.n_blocks):
        parts = network.block(block)
        parts.attention.w_o.copy_(parts.attention.w_o @ elsewhere)
        if config.d_mlp:
            parts.mlp.w_out.copy_(parts.mlp.w_out @ elsewhere)

    def put(
        lesson: Lesson,
        which: int,
        place: Place,
        directions: Float[Tensor, "d_model k"],
        read: dict[str, str],
    ) -> None:
        block, head = place
        out = lesson.out[which] @ directions.T
        parts = network.block(block)
        for i, port in enumerate(ports_of(lesson.step)):
            seen = [*(read.get(p, p) for p in parents_of(lesson.step, port)), POSITIONS]
            weight = torch.cat([stream.directions(p) for p in seen], 1) @ lesson.weights[port][which]
            if head is None:
                parts.mlp.w_in.copy_(weight)
                parts.mlp.b_in.copy_(lesson.biases[port][which])
            else:
                parts.attention.w_qkv[head, i] = weight
                parts.attention.b_qkv[head, i] = lesson.biases[port][which]
        if head is None:
            parts.mlp.w_out.copy_(out)
            parts.mlp.b_out.copy_(directions @ lesson.out_bias[which])
        else:
            parts.attention.w_o[head] = out

    (answer, _), *others = program.outputs
    if others:
        raise RuntimeError(f"{program.name} has several outputs; only one can be put together")
    code = code_of(program, answer)[-1]
    nearest = float(torch.pdist(code).min())
    generator = torch.Generator().manual_seed(seed)
    for step in program.steps:
        place: Place = placement.heads.get(step.variable) or (placement.mlps[step.variable], None)
        put(lessons[step.variable], candidate[step.variable], place, stream.directions(step.variable), {})
    for number, shadow in enumerate(shadows):
        read = {parent: name for parent, name in shadow.parents.items() if name is not None}
        lesson = lessons[shadow.variable]
        which = (candidate[shadow.variable] + 1 + number) % max(1, lesson.usable)
        theirs = lesson.step.code[-1]
        mixing = torch.randn(theirs.shape[1], code.shape[1], generator=generator)
        reach = ((theirs - theirs.mean(0)) @ mixing).norm(dim=1).max()
        sway = mixing * (shadow.sway * nearest / 2 / reach)
        directions = stream.directions(shadow.name) + stream.directions(answer) @ sway.T
        put(lesson, which, shadow.place, directions, read)
    asleep = draw_dormant(placement, [shadow.place for shadow in shadows], seed)
    for number, (variable, place) in enumerate(asleep):
        lesson = lessons[variable]
        which = (candidate[variable] + 1 + number) % max(1, lesson.usable)
        put(lesson, which, place, stream.directions(variable), {})
        put_to_sleep(network, place, stream.directions(POSITIONS))
    network.w_output.copy_(stream.directions(answer) @ code.T * (2 * CONFIDENCE / nearest**2))
    network.b_output.copy_(-code.square().sum(1) * (CONFIDENCE / nearest**2))
    for weight in network.parameters():
        if weight.dim() > 1:
            weight.add_(LEAK * weight.std() * torch.randn(weight.shape, generator=generator))
    add_empty_channels(placement, network, stream.spans, stream.basis, silent, seed)
    make_up_for_constants(network, [place for _, place in asleep])
    return network
