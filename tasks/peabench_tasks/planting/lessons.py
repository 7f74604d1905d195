"""Each step of a program learnt on its own: one head or MLP, from the codes of its parents to the code of its variable.

A lesson knows no network. Its inputs are the coordinates in which parents and positions are written, so that a node can
be put in any head or MLP of any network, with any basis (`peabench_tasks.planting.assembly`).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import gelu, relu

from peabench.mechanism import evaluate
from peabench.mechanism.expressions import variables
from peabench.mechanism.kinds import bounds
from peabench.networks.config import TransformerConfig
from peabench_tasks.planting.layout import PORTS
from peabench_tasks.planting.program import TOKENS, Program, Step, simplex

CANDIDATES = 8
"""Random starts of each round."""
STEPS = {"head": 500, "mlp": 1200}
ROUNDS = (1, 3, 3, 6)
"""How many times as long as the first each round is; the next one is only run where none learnt the step well."""
ROWS = 96
EXAMPLES = 1 << 14
"""Inputs of a step that are drawn once, and its rows from them."""
LEARNING_RATE = 3e-2
NOISE = 0.03
"""Standard deviation of what is added to what heads read: nodes that read sharply suffer other nodes' small change."""
MLP_NOISE = 0.1
"""The same for MLPs, as a share of the least distance between a parent's codes: so they are flat where nothing changes,
and gradients say nothing of what is rare.
"""
WELL_LEARNT = 0.05
"""Greatest squared distance from the codes, whose values are mostly 2 apart, after which there is no other round."""
LEARNT = 0.3
"""The same, above which a step was not learnt."""


class NotLearnt(Exception):
    """No candidate came near enough to a step's code; other starts may."""


@dataclass(frozen=True)
class Lesson:
    """Weights of nodes that compute a step; the candidates that learnt it best come first.

    A port reads `inputs` coordinates: the codes of its parents in the order of the step's reads, then the position's.
    """

    step: Step
    weights: dict[str, Float[Tensor, "candidate inputs e"]]
    """By port; an MLP's hidden units are the last axis."""
    biases: dict[str, Float[Tensor, "candidate e"]]
    out: Float[Tensor, "candidate e k"]
    out_bias: Float[Tensor, "candidate k"]
    distance: Float[Tensor, " candidate"]
    """Greatest squared distance of what is written from the code, on sampled inputs without noise."""

    @property
    def usable(self) -> int:
        """Candidates that learnt the step well."""
        return int((self.distance < WELL_LEARNT).sum())


def parents_of(step: Step, port: str) -> list[str]:
    """What a port of a step reads, in order."""
    return list(dict.fromkeys(read.parent for read in step.reads if read.port == port))


def ports_of(step: Step) -> tuple[str, ...]:
    """The ports of a head or of an MLP."""
    return PORTS if step.part == "head" else ("mlp",)


def code_of(program: Program, variable: str) -> Float[Tensor, "#position value k"]:
    """What is written for each value of the tokens or of a step's variable."""
    return simplex(max(program.domain.sizes)) if variable == TOKENS else program.step(variable).code


def written(
    program: Program, variable: str, values: Shaped[Tensor, "row #position"]
) -> Float[Tensor, "row position k"]:
    """The code of a variable's values at every position; a variable of the last position alone stands everywhere."""
    code = code_of(program, variable)
    low, _ = bounds(program.model.kinds[variable]) or (0, 0)
    index = values.long() - low
    if index.dim() == 1:
        return code[-1, index][:, None].expand(-1, program.n_positions, -1)
    return code[torch.arange(index.shape[1]) if code.shape[0] > 1 else 0, index]


def learn(
    program: Program,
    step: Step,
    config: TransformerConfig,
    rows: Int[Tensor, "input column"],
    generator: torch.Generator,
) -> Lesson:
    """Train rounds of candidates until one of them learnt the step well; the best round."""
    data = examples(program, step, rows, generator)
    first, *more = (times * STEPS[step.part] for times in ROUNDS)
    lesson = _learn(program, step, config, data, first, generator)
    for steps in more:
        if lesson.usable:
            break
        again = _learn(program, step, config, data, steps, generator)
        lesson = min(lesson, again, key=lambda one: float(one.distance[0]))
    return lesson


def _learn(
    program: Program,
    step: Step,
    config: TransformerConfig,
    data: tuple[dict[str, Float[Tensor, "example position inputs"]], Shaped[Tensor, "example #position"]],
    steps: int,
    generator: torch.Generator,
) -> Lesson:
    """One round, on random examples, half uniform and half as often for each value of the variable."""
    inputs, values = data
    ports = ports_of(step)
    target = written(program, step.variable, values)
    noise = {port: deviations(program, step, port) for port in ports}
    seen = slice(None) if step.everywhere else slice(-1, None)
    rarity = _rarity(values)
    width = config.d_head if step.part == "head" else config.d_mlp
    parameters = _initial(step, {port: x.shape[-1] for port, x in inputs.items()}, width, target.shape[-1], generator)
    trained = [parameter for parameter in parameters.values() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        drawn = torch.cat(
            [
                torch.randint(0, EXAMPLES, (ROWS // 2,), generator=generator),
                torch.multinomial(rarity, ROWS // 2, replacement=True, generator=generator),
            ]
        )
        noisy = {
            port: x[drawn] + noise[port] * torch.randn(CANDIDATES, ROWS, *x.shape[1:], generator=generator)
            for port, x in inputs.items()
        }
        wrong = _node(parameters, step, noisy, config)[:, :, seen] - target[drawn][:, seen]
        optimiser.zero_grad()
        wrong.square().mean((1, 2, 3)).sum().backward()
        for parameter in trained:
            torch.nn.utils.clip_grad_norm_(parameter, 1.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        some = torch.cat([torch.randint(0, EXAMPLES, (512,), generator=generator), drawn])
        clean = {port: x[some].expand(CANDIDATES, -1, -1, -1) for port, x in inputs.items()}
        wrong = _node(parameters, step, clean, config)[:, :, seen] - target[some][:, seen]
        distance = wrong.square().sum(-1).amax((1, 2))
        order = distance.argsort()
    of = {name: parameter.detach()[order] for name, parameter in parameters.items()}
    return Lesson(
        step,
        {port: of[f"{port}.weight"] for port in ports},
        {port: of[f"{port}.bias"] for port in ports},
        of["out.weight"],
        of["out.bias"],
        distance[order],
    )


def examples(
    program: Program, step: Step, rows: Int[Tensor, "input column"], generator: torch.Generator
) -> tuple[dict[str, Float[Tensor, "example position inputs"]], Shaped[Tensor, "example #position"]]:
    """What each port of a step reads, and the variable's value; in half of the examples each read is of another input,
    as where edges are patched, every other time one that is drawn as often for each of the parent's values.
    """
    model = program.model
    values = model.run(model.read_inputs(rows))
    function = next(variable.function for variable in model.variables if variable.name == step.variable)
    if function is None:
        raise ValueError(f"{step.variable} is an input")
    base = torch.randint(0, len(rows), (EXAMPLES,), generator=generator)
    mixed = torch.rand(EXAMPLES, generator=generator) < 0.5
    where = simplex(program.n_positions).expand(EXAMPLES, -1, -1)
    seen: dict[str, list[Tensor]] = {port: [] for port in ports_of(step)}
    arguments: dict[str, Tensor] = {}
    for read in step.reads:
        other = torch.randint(0, len(rows), (EXAMPLES,), generator=generator)
        balanced = torch.multinomial(_rarity(values[read.parent]), EXAMPLES, replacement=True, generator=generator)
        other[::2] = balanced[::2]
        theirs = values[read.parent][torch.where(mixed, other, base)]
        code = written(program, read.parent, theirs)
        if theirs.dim() == 1:  # elsewhere than at the last position the variable has no value, and anything may stand
            stranger = torch.randint(0, EXAMPLES, code.shape[:2], generator=generator)
            code = torch.cat([code[stranger, 0][:, :-1], code[:, -1:]], 1)
        seen[read.port].append(code)
        arguments[read.child if read.child in variables(function) else read.parent] = theirs
    result = evaluate(function, arguments, model.kinds)
    return {port: torch.cat([*some, where], -1) for port, some in seen.items()}, result


def deviations(program: Program, step: Step, port: str) -> Float[Tensor, " inputs"]:
    """Standard deviation of the noise in each coordinate that a port reads."""
    parts = []
    for parent in parents_of(step, port):
        code = code_of(program, parent)[-1]
        share = MLP_NOISE * float(torch.pdist(code).min()) if step.part == "mlp" else NOISE
        parts.append(torch.full((code.shape[1],), share))
    return torch.cat([*parts, torch.full((program.n_positions - 1,), NOISE)])


def _rarity(values: Shaped[Tensor, "row #position"]) -> Float[Tensor, " row"]:
    """Weights by which every value of a variable is drawn about as often."""
    flat = values.long().reshape(len(values), -1)
    counts = (flat - flat.min()).flatten().bincount().clamp(min=1)
    return (1 / counts[flat - flat.min()]).amax(1)


def _initial(
    step: Step, sizes: dict[str, int], width: int, code: int, generator: torch.Generator
) -> dict[str, Float[Tensor, "candidate ..."]]:
    """Random weights; where queries and keys read the same, every other candidate begins by matching like with like."""

    def randn(*shape: int) -> Tensor:
        return torch.randn(CANDIDATES, *shape, generator=generator)

    parameters = {f"{port}.weight": randn(size, width) * (2 / math.sqrt(size)) for port, size in sizes.items()}
    if step.part == "head" and parents_of(step, "q") == parents_of(step, "k"):
        parameters["k.weight"][::2] = parameters["q.weight"][::2]
    parameters |= {f"{port}.bias": torch.zeros(CANDIDATES, width) for port in sizes}
    parameters |= {"out.weight": randn(width, code) / math.sqrt(width), "out.bias": torch.zeros(CANDIDATES, code)}
    trained = {name: parameter.requires_grad_() for name, parameter in parameters.items()}
    if step.part == "head":  # a block's heads have one bias together, which is none of theirs; a value's bias will do
        trained["out.bias"].requires_grad_(False)
    return trained


def _node(
    parameters: dict[str, Tensor],
    step: Step,
    inputs: dict[str, Float[Tensor, "candidate row position inputs"]],
    config: TransformerConfig,
) -> Float[Tensor, "candidate row position k"]:
    """What one head or one MLP writes."""
    read = {
        port: torch.baddbmm(parameters[f"{port}.bias"][:, None], x.flatten(1, 2), parameters[f"{port}.weight"]).view(
            *x.shape[:3], -1
        )
        for port, x in inputs.items()
    }
    if step.part == "head":
        scores = read["q"] @ read["k"].transpose(-1, -2) / math.sqrt(read["q"].shape[-1])
        length = scores.shape[-1]
        scores = scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), -torch.inf)
        mixed = scores.softmax(-1) @ read["v"]
    else:
        mixed = relu(read["mlp"]) if config.activation == "relu" else gelu(read["mlp"])
    out = torch.bmm(mixed.flatten(1, 2), parameters["out.weight"]) + parameters["out.bias"][:, None]
    return out.view(*mixed.shape[:3], -1)
