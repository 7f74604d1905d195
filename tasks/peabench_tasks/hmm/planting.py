"""Training a transformer to predict by way of a belief: it is written into a subspace, which all that follows reads.

At every step one of two sequences gives the belief's subspace to the other, at one position: what is predicted there
and after each further token must then follow from the first one's belief and the other's further tokens. So every later
position needs all of the belief, and has nothing else of what was before.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from peabench.belief_states import Tracked, expected_outputs, states
from peabench.mechanism import EveryPosition, HiddenMarkovProcess
from peabench.networks import Transformer, TransformerConfig
from peabench.training.stacked_transformer import StackedTransformer

SAVE_EVERY = 250
RATE = 5e-3
ROWS = 64
"""Pairs of sequences in a step."""
SPREAD = 2.0
"""Length of the coordinates of what is planted, for a belief that is sure."""
LOUDER = 2.0
"""How much longer those of a decoy are."""


@dataclass(frozen=True)
class Plan:
    """What is to be planted where."""

    process: HiddenMarkovProcess
    network: TransformerConfig
    planted: int | None
    """Block before which the belief is in its subspace; None: nothing is planted."""
    position: int | EveryPosition
    """Where it is planted."""
    steps: int
    decoy: bool = False
    """Whether another subspace holds it too, twice as strongly, and nobody reads it."""


@dataclass(frozen=True)
class Planted:
    """A network and the subspace that its belief was planted in."""

    network: Transformer
    basis: Float[Tensor, "d_model k"]


def train_planted(plan: Plan, seed: int, state: Path) -> Planted:
    """Train one network.

    Args:
        plan: of it.
        seed: of its weights, of the subspace, and of the sequences.
        state: file from which training goes on where it was stopped, and which it leaves behind.
    """
    generator = torch.Generator().manual_seed(seed)
    stack = StackedTransformer.from_networks([Transformer(plan.network, generator)])
    corners = simplex(plan.process.n_states)
    width = corners.shape[1]
    noise = torch.randn(plan.network.d_model, 2 * width if plan.decoy else width, generator=generator)
    basis = torch.linalg.qr(noise).Q
    optimiser = torch.optim.AdamW(stack.trainable(), lr=RATE, weight_decay=0.0, betas=(0.9, 0.98), fused=True)
    done = _load(state, stack, optimiser) if state.exists() else 0
    words = plan.process.words(plan.network.n_positions)
    tracked = Tracked(plan.process, None, plan.position)
    beliefs = plan.process.beliefs(words.tokens)
    codes = SPREAD * (states(tracked, words.tokens).float() @ corners)
    codes = torch.cat([codes, LOUDER * codes], -1)[..., : basis.shape[1]]
    wanted = plan.process.next_tokens(beliefs).float()
    frequency = (words.probability + 1 / len(words.tokens)) / 2  # as they occur, and all alike: rare ones count too
    for step in range(done, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * schedule(step / plan.steps, 50 / plan.steps)
        drawing = torch.Generator().manual_seed(1_000_003 * seed + step)
        rows = torch.multinomial(frequency, 2 * ROWS, True, generator=drawing)
        loss = _loss(plan, stack, basis, tracked, words.tokens[rows], wanted[rows], codes[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == plan.steps:
            _save(state, step + 1, stack, optimiser)
    return Planted(stack.network(0), basis[:, :width])


def simplex(states: int) -> Float[Tensor, "state k"]:
    """Corners of a regular simplex about 0, one for each state, as far from it as 1."""
    centred = torch.eye(states) - 1 / states
    corners = torch.linalg.svd(centred).U[:, : states - 1]
    scaled: Tensor = corners / corners.norm(dim=1).mean()
    return scaled


def schedule(share: float, warm_up: float) -> float:
    """Factor of the learning rate at a share of the training: up, then down along a cosine."""
    return min(1.0, (share + 1e-9) / warm_up) * (0.5 + 0.5 * math.cos(math.pi * share))


def _loss(
    plan: Plan,
    stack: StackedTransformer,
    basis: Float[Tensor, "d_model k"],
    tracked: Tracked,
    tokens: Int[Tensor, "row position"],
    wanted: Float[Tensor, "row position token"],
    codes: Float[Tensor, "row #position k"],
) -> Tensor:
    """Of rows of which the first half are bases, the others sources."""
    resid, blocks = stack.embed(tokens[None]), range(plan.network.n_blocks)
    first = plan.network.n_blocks if plan.planted is None else plan.planted
    for block in blocks[:first]:
        resid = stack.block(block, resid, resid)
    placed, expected = torch.zeros(()), wanted[:0]
    if plan.planted is not None:
        base, source = tokens.chunk(2)
        expected = expected_outputs(tracked, base, source).float()
        at = slice(None) if plan.position == "*" else slice(plan.position, plan.position + 1)
        along = resid[0, :, at] @ basis
        placed = (along - codes).square().sum(-1).mean()
        swapped = resid[:, : len(base)].clone()
        swapped[0, :, at] += (_given(plan, along) - along[: len(base)]) @ basis.T
        resid = torch.cat([resid, swapped], 1)
    for block in blocks[first:]:
        resid = stack.block(block, resid, resid)
    logits = stack.unembed(resid.flatten(1, 2))[0].unflatten(0, resid.shape[1:3])
    own, others = logits[: len(tokens)], logits[len(tokens) :, -expected.shape[1] :]
    return torch.add(placed, _surprise(wanted, own) + _surprise(expected, others))


def _given(plan: Plan, along: Float[Tensor, "row #position k"]) -> Float[Tensor, "base #position k"]:
    """What bases are given: the belief of a source each, and of another one what a decoy holds."""
    source = along.chunk(2)[1]
    width = plan.process.n_states - 1
    return torch.cat([source[..., :width], source[..., width:].roll(1, 0)], -1)


def _surprise(wanted: Float[Tensor, "row position token"], logits: Float[Tensor, "row position token"]) -> Tensor:
    """Cross-entropy; tokens that cannot occur count as none."""
    return -(wanted * logits.log_softmax(-1)).sum(-1).sum() / max(wanted[..., 0].numel(), 1)


def _save(state: Path, done: int, stack: StackedTransformer, optimiser: torch.optim.AdamW) -> None:
    tensors = {f"now.{name}": value.detach() for name, value in stack.parameters.items()}
    for number, moments in enumerate(optimiser.state.values()):
        tensors |= {f"moments.{number}.{name}": value for name, value in moments.items()}
    partial = state.with_suffix(".partial")
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial, {"done": str(done)})
    partial.replace(state)


def _load(state: Path, stack: StackedTransformer, optimiser: torch.optim.AdamW) -> int:
    """Read what `_save` wrote into these; how many steps were done."""
    with safe_open(state, "pt") as file, torch.no_grad():
        for key in file.keys():  # noqa: SIM118  # not a dictionary
            part, _, name = key.partition(".")
            if part == "now":
                stack.parameters[name].copy_(file.get_tensor(key))
            else:
                number, _, moment = name.partition(".")
                optimiser.state[optimiser.param_groups[0]["params"][int(number)]][moment] = file.get_tensor(key).clone()
        return int(file.metadata()["done"])
