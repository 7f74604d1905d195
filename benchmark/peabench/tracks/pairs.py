"""Pairs of a base and a source input, labelled by the causal model with what an interchange should do."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import CausalModel

DRAWS_PER_ROUND = 16_384
ROUNDS = 16
ENOUGH_OF_A_KIND = 200
MOST_OF_A_KIND = 2_048


@dataclass(frozen=True)
class Pairs:
    """Base and source inputs, and what should happen when one variable takes the value that it has in the source."""

    base: Int[Tensor, "pair column"]
    source: Int[Tensor, "pair column"]
    base_value: Shaped[Tensor, "pair ..."]
    """The variable's value in the base run of the causal model."""
    source_value: Shaped[Tensor, "pair ..."]
    base_output: Int[Tensor, " pair"]
    """The causal model's output on the base: the class that the network predicts."""
    counterfactual: Int[Tensor, " pair"]
    """Its output on the base with the variable as in the source."""

    def __len__(self) -> int:
        return len(self.base)

    @property
    def should_change(self) -> Bool[Tensor, " pair"]:
        """Whether the interchange should change the output."""
        return self.counterfactual != self.base_output

    @property
    def same_value(self) -> Bool[Tensor, " pair"]:
        """Whether the variable has the same value in both inputs, so that its interchange must do nothing."""
        return (self.base_value == self.source_value).reshape(len(self), -1).all(1)

    def select(self, index: Shaped[Tensor, " row"]) -> "Pairs":
        """Some of the pairs, by number or by a mask."""
        return Pairs(*(getattr(self, field.name)[index] for field in fields(self)))


def label_pairs(
    causal_model: CausalModel,
    variable: str,
    base: Int[Tensor, "pair column"],
    source: Int[Tensor, "pair column"],
) -> Pairs:
    """Pairs with the labels that the causal model gives them."""
    base_inputs = causal_model.read_inputs(base)
    base_run = causal_model.run(base_inputs)
    source_value = causal_model.run(causal_model.read_inputs(source))[variable]
    set_run = causal_model.run(base_inputs, {variable: source_value})
    output = causal_model.output
    return Pairs(base, source, base_run[variable], source_value, _classes(base_run[output]), _classes(set_run[output]))


def outputs(causal_model: CausalModel, inputs: Int[Tensor, "batch column"]) -> Int[Tensor, " batch"]:
    """What the causal model says that the network predicts."""
    return _classes(causal_model.run(causal_model.read_inputs(inputs))[causal_model.output])


def draw_pairs(
    causal_model: CausalModel, variable: str, domain: ProductDomain, count: int, generator: torch.Generator
) -> Pairs:
    """Independent uniform pairs: what happens on few inputs stays rare."""
    return label_pairs(causal_model, variable, domain.sample(count, generator), domain.sample(count, generator))


def held_out_pairs(
    causal_model: CausalModel, variable: str, domain: ProductDomain, known: Pairs, generator: torch.Generator
) -> Pairs:
    """Fresh pairs with enough of both kinds, those whose output should change and those whose output should stay.

    Uniform pairs, none of them `known` where the domain has at least four times as many; rounds of 16,384 are drawn
    until there are 200 of each kind or 16 rounds are over, and at most 2,048 of each kind are kept.
    """
    multipliers = torch.randint(-(2**62), 2**62, (2 * known.base.shape[1],), generator=generator) | 1
    seen = _keys(known, multipliers) if domain.size**2 >= 4 * len(known) else None
    found: list[Pairs] = []
    for _ in range(ROUNDS):
        pairs = draw_pairs(causal_model, variable, domain, DRAWS_PER_ROUND, generator)
        if seen is not None:
            pairs = pairs.select(~torch.isin(_keys(pairs, multipliers), seen))
        found.append(pairs)
        changed = sum(int(part.should_change.sum()) for part in found)
        if ENOUGH_OF_A_KIND <= changed <= sum(map(len, found)) - ENOUGH_OF_A_KIND:
            break
    joined = Pairs(*(torch.cat([getattr(part, field.name) for part in found]) for field in fields(Pairs)))
    kinds = (joined.should_change.nonzero()[:MOST_OF_A_KIND, 0], (~joined.should_change).nonzero()[:MOST_OF_A_KIND, 0])
    return joined.select(torch.cat(kinds))


def predicted_class(logits: Float[Tensor, "*batch position output"]) -> Int[Tensor, "*batch"]:
    """What the network predicts: whether the logit is positive, or the largest logit at the last position."""
    last = logits[..., -1, :]
    return (last[..., 0] > 0).long() if last.shape[-1] == 1 else last.argmax(-1)


def balanced_accuracy(predicted: Int[Tensor, "*hypothesis pair"], pairs: Pairs) -> Float[Tensor, "*hypothesis"]:
    """Balanced interchange accuracy 2a - 1: a is the mean of the accuracy on both kinds of pairs, or on the only one.

    Copying the base is right wherever the output should stay and wrong wherever it should change, and so earns 0.
    """
    right = (predicted == pairs.counterfactual).double()
    kinds = [right[..., kind].mean(-1) for kind in (pairs.should_change, ~pairs.should_change) if bool(kind.any())]
    return 2 * torch.stack(kinds).mean(0) - 1


def generator_from(*content: str | bytes | Tensor) -> torch.Generator:
    """A generator seeded from what is given, the same on every machine."""
    digest = hashlib.sha256()
    for chunk in _bytes(*content):
        digest.update(f"{len(chunk)}:".encode())
        digest.update(chunk)
    return torch.Generator().manual_seed(int.from_bytes(digest.digest()[:8], "big") >> 1)


def _bytes(*content: str | bytes | Tensor) -> Iterator[bytes]:
    for part in content:
        if isinstance(part, Tensor):
            yield part.cpu().contiguous().numpy().tobytes()
        else:
            yield part.encode() if isinstance(part, str) else part


def _keys(pairs: Pairs, multipliers: Int[Tensor, " column"]) -> Int[Tensor, " pair"]:
    """A 64-bit hash of each pair (sums of products that wrap around)."""
    return (torch.cat([pairs.base, pairs.source], 1) * multipliers).sum(1)


def _classes(values: Shaped[Tensor, "pair ..."]) -> Int[Tensor, " pair"]:
    """Outputs as class numbers; of an output with positions, the last one's."""
    return values.reshape(len(values), -1)[:, -1].long()
