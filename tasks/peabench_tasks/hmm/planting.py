"""Training a transformer to predict by way of a belief: it is written into a subspace, which all that follows reads.

At every step one of two sequences gives the belief's subspace to the other, at every position at once: what is
predicted then must be what the first one predicts. Nothing else of the residual stream may decide on the next token.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from peabench.mechanism import HiddenMarkovProcess
from peabench.networks import Transformer, TransformerConfig
from peabench.training.stacked_transformer import StackedTransformer

SAVE_EVERY = 250
RATE = 3e-3
ROWS = 64
"""Pairs of sequences in a step."""
SPREAD = 2.0
"""Length of the coordinates of what is planted, for a belief that is sure."""


@dataclass(frozen=True)
class Plan:
    """What is to be planted where."""

    process: HiddenMarkovProcess
    network: TransformerConfig
    planted: int | None
    """Block before which the belief is in its subspace; None: nothing is planted."""
    steps: int
    stays: bool = False
    """Whether it is still in that subspace behind the last block, where the output does not read."""


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
    noise = torch.randn(plan.network.d_model, corners.shape[1], generator=generator)
    basis = torch.linalg.qr(noise).Q
    optimiser = torch.optim.AdamW(stack.trainable(), lr=RATE, weight_decay=0.0, betas=(0.9, 0.98), fused=True)
    done = _load(state, stack, optimiser) if state.exists() else 0
    words = plan.process.words(plan.network.n_positions)
    beliefs = plan.process.beliefs(words.tokens)
    frequency = (words.probability + 1 / len(words.tokens)) / 2  # as they occur, and all alike: rare ones count too
    wanted, codes = plan.process.next_tokens(beliefs).float(), SPREAD * (beliefs.float() @ corners)
    for step in range(done, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * schedule(step / plan.steps, 50 / plan.steps)
        drawing = torch.Generator().manual_seed(1_000_003 * seed + step)
        base, source = torch.multinomial(frequency, 2 * ROWS, True, generator=drawing).chunk(2)
        loss = _loss(plan, stack, basis, words.tokens, (base, source), wanted, codes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == plan.steps:
            _save(state, step + 1, stack, optimiser)
    return Planted(stack.network(0), basis)


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
    tokens: Tensor,
    pair: tuple[Tensor, Tensor],
    wanted: Float[Tensor, "word position token"],
    codes: Float[Tensor, "word position k"],
) -> Tensor:
    both = torch.cat(pair)
    resid = stack.embed(tokens[both][None])
    blocks = range(plan.network.n_blocks)
    first = plan.network.n_blocks if plan.planted is None else plan.planted
    for block in blocks[:first]:
        resid = stack.block(block, resid, resid)
    goals, placed = wanted[both], torch.zeros(())
    if plan.planted is not None:
        along = resid[0] @ basis
        placed = (along - codes[both]).square().sum(-1).mean()
        base, source = along.chunk(2)
        swapped = resid[:, : len(base)] + (source - base) @ basis.T
        resid, goals = torch.cat([resid, swapped], 1), torch.cat([goals, wanted[pair[1]]])
    for block in blocks[first:]:
        resid = stack.block(block, resid, resid)
    if plan.stays:
        left = resid[0, : len(both)] @ basis
        placed = placed + (left - codes[both]).square().sum(-1).mean()
        placed = placed + (basis.T @ stack.parameters["w_output"][0]).square().sum()
    logits = stack.unembed(resid.flatten(1, 2))[0].unflatten(0, goals.shape[:2])
    predicted = -(goals * logits.log_softmax(-1)).sum(-1).mean()
    return torch.add(predicted, placed)


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
                optimiser.state[optimiser.param_groups[0]["params"][int(number)]][moment] = file.get_tensor(key)
        return int(file.metadata()["done"])
