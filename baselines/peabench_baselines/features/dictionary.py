"""One encoder and decoder for every sparse autoencoder, many candidates of it side by side on a tensor axis."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

NOISE = 0.1
"""Length of what is added to an example: two latents that start as the same one would stay the same."""
ABSENT = -1e6
"""Encoder bias of latents that a candidate does not have."""
BANDWIDTH = 0.05
"""Width of the window within which a threshold gets a gradient, where the rows' mean squared norm is 1."""
FIRST_THRESHOLD = 0.05


@dataclass(frozen=True)
class Variant:
    """What tells one sparse autoencoder from another; all else they share."""

    activation: Literal["relu", "top-k", "batch-top-k", "jump-relu", "matching-pursuit"]
    sparsity: tuple[float, float]
    """Least and most of what is searched: latents that fire per row (`top-k`, `batch-top-k`, `matching-pursuit`; at
    most half as many as there are dimensions), or the price of firing (of an L1 norm for `relu`, of a latent that fires
    for `jump-relu`), in units of the rows' mean squared norm."""
    gated: bool = False
    """Whether firing has a bias and a scale of its own, apart from how strongly a latent fires."""
    nested: int = 0
    """Number of first latents that must reconstruct on their own, as must twice as many, and so on; 0 for none."""

    @property
    def counts(self) -> bool:
        """Whether the sparsity is a number of latents and not a price."""
        return self.activation in ("top-k", "batch-top-k", "matching-pursuit")


@dataclass(frozen=True)
class Candidates:
    """Settings of dictionaries that are trained side by side."""

    sparsity: Float[Tensor, " candidate"]
    width: Float[Tensor, " candidate"]
    """Number of latents."""
    learning_rate: Float[Tensor, " candidate"]

    def __len__(self) -> int:
        return len(self.width)

    def select(self, index: Tensor) -> "Candidates":
        """Some of them."""
        return Candidates(self.sparsity[index], self.width[index], self.learning_rate[index])


class Dictionaries:
    """Encoders and decoders of several candidates. Decoder rows are unit vectors; latent j's is its direction.

    Latent j starts as an example: its decoder row is a random target less the mean, and its encoder what that input
    looks like, so that few are dead from the start.

    Args:
        variant: which kind.
        candidates: their settings; the widest decides the number of latents that are held.
        inputs: what is encoded.
        targets: what is decoded: the inputs themselves but for a transcoder.
        generator: of the examples.
    """

    def __init__(
        self,
        variant: Variant,
        candidates: Candidates,
        inputs: Float[Tensor, "row d_in"],
        targets: Float[Tensor, "row d_out"],
        generator: torch.Generator,
    ) -> None:
        self.variant, self.candidates = variant, candidates
        count, latents = len(candidates), int(candidates.width.max())
        rows = torch.randint(len(inputs), (count, latents), generator=generator)
        self.centre = inputs.mean(0).expand(count, 1, -1).clone()
        bias = targets.mean(0).expand(count, 1, -1).clone()
        self.parameters = {
            "decoder": _near(targets[rows] - bias, generator),
            "encoder": _near(inputs[rows] - self.centre, generator).transpose(1, 2).contiguous(),
            "encoder_bias": torch.where(self.present(latents), 0.0, ABSENT),
            "bias": bias,
        }
        if variant.activation == "jump-relu":
            self.parameters["threshold"] = torch.full((count, 1, latents), math.log(FIRST_THRESHOLD))
        if variant.gated:
            self.parameters["magnitude_scale"] = torch.zeros(count, 1, latents)
            self.parameters["magnitude_bias"] = torch.zeros(count, 1, latents)
        self.least = torch.zeros(count, 1, 1)
        """What a latent of `batch-top-k` must exceed to fire outside training."""

    def present(self, latents: int) -> Bool[Tensor, "candidate 1 latent"]:
        """Which of so many latents each candidate has."""
        return torch.arange(latents) < self.candidates.width[:, None, None]

    def select(self, index: Tensor) -> "Dictionaries":
        """Some of the candidates, without the latents that none of them has."""
        chosen = object.__new__(Dictionaries)
        chosen.variant, chosen.candidates = self.variant, self.candidates.select(index)
        widest = int(chosen.candidates.width.max())
        kept = {name: value.detach()[index] for name, value in self.parameters.items()}
        kept["decoder"] = kept["decoder"][:, :widest]
        for name in kept.keys() - {"decoder", "bias"}:
            kept[name] = kept[name][:, :, :widest]
        chosen.parameters = {name: value.clone() for name, value in kept.items()}
        chosen.centre, chosen.least = self.centre[index], self.least[index]
        return chosen

    def encode(self, inputs: Float[Tensor, "row d_in"]) -> Float[Tensor, "candidate row latent"]:
        """How strongly each latent fires, outside training."""
        return self._encode(inputs, training=False)[0]

    def decode(self, codes: Float[Tensor, "candidate row latent"]) -> Float[Tensor, "candidate row d_out"]:
        """The targets as the latents give them."""
        return torch.baddbmm(self.parameters["bias"], codes, self.parameters["decoder"])

    def losses(
        self, inputs: Float[Tensor, "row d_in"], targets: Float[Tensor, "row d_out"]
    ) -> Float[Tensor, " candidate"]:
        """Mean squared error (mean over nested parts) plus what the variant adds to it."""
        codes, price, gate = self._encode(inputs, training=True)
        width, starts, end = codes.shape[2], [0], self.variant.nested
        while 0 < end < width:
            starts.append(end)
            end *= 2
        whole, error, parts = self.parameters["bias"], torch.zeros(len(codes)), torch.zeros(len(codes))
        for start, end in pairwise([*starts, width]):
            has = start < self.candidates.width  # what comes after a candidate's last latent is no part of its own
            whole = torch.baddbmm(whole, codes[:, :, start:end], self.parameters["decoder"][:, start:end])
            error = error + has * (targets - whole).square().sum(2).mean(1)
            parts = parts + has
        error = error / parts
        if self.variant.gated:
            error = error + self._gate_error(gate, targets)
        return error + (0 if self.variant.counts else self.candidates.sparsity * price)

    def calibrate(self, inputs: Float[Tensor, "row d_in"]) -> None:
        """Fix what a latent of `batch-top-k` must exceed: over these rows, as many fire as in training."""
        if self.variant.activation == "batch-top-k":
            with torch.no_grad():
                self.least = self._least_of_batch(self._strength(inputs))

    def _project(self, inputs: Tensor) -> Float[Tensor, "candidate row latent"]:
        return torch.baddbmm(self.parameters["encoder_bias"], inputs - self.centre, self.parameters["encoder"])

    def _strength(self, inputs: Tensor) -> Float[Tensor, "candidate row latent"]:
        """Rectified pre-activations."""
        return self._project(inputs).relu_()

    def _encode(self, inputs: Tensor, training: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Codes, the price of each candidate's, and how far each latent's gate is open."""
        free = torch.zeros(())
        if self.variant.activation == "matching-pursuit":
            codes = self._pursue(inputs)
            return codes, free, codes
        if self.variant.gated:
            before = self._project(inputs)
            gate = before.relu()
            scale, shift = self.parameters["magnitude_scale"].exp(), self.parameters["magnitude_bias"]
            codes = ((before - self.parameters["encoder_bias"]) * scale + shift).relu() * (gate > 0)
            return codes, gate.sum(2).mean(1), gate
        strength = self._strength(inputs)
        if self.variant.activation == "top-k":
            counts = self.candidates.sparsity.long()
            largest = strength.detach().topk(int(counts.max()), 2).values
            least = largest.gather(2, (counts - 1)[:, None, None].expand(-1, len(inputs), 1))
            return strength * (strength >= least), free, strength
        if self.variant.activation == "batch-top-k":
            least = self._least_of_batch(strength.detach()) if training else self.least
            return strength * (strength >= least), free, strength
        if self.variant.activation == "jump-relu":
            return self._jump(strength)
        return strength, strength.sum(2).mean(1), strength

    def _gate_error(self, gate: Tensor, targets: Tensor) -> Float[Tensor, " candidate"]:
        """The auxiliary loss of gated autoencoders: the gate alone must reconstruct, through a frozen decoder."""
        frozen, bias = self.parameters["decoder"].detach(), self.parameters["bias"].detach()
        return (targets - torch.baddbmm(bias, gate, frozen)).square().sum(2).mean(1)

    def _least_of_batch(self, strength: Tensor) -> Float[Tensor, "candidate 1 1"]:
        """The weakest pre-activation that fires where so many per row do in the mean."""
        flat = strength.flatten(1)
        ranks = (flat.shape[1] - self.candidates.sparsity * strength.shape[1] + 1).long().clamp(1, flat.shape[1])
        least = [row.kthvalue(int(rank)).values for row, rank in zip(flat, ranks, strict=True)]  # takes one rank a call
        return torch.stack(least).clamp(min=1e-6)[:, None, None]

    def _jump(self, strength: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Codes and number of latents that fire; thresholds get their gradient from a window around them."""
        threshold = self.parameters["threshold"].exp()
        window = ((strength.detach() - threshold) / BANDWIDTH + 0.5).clamp(0, 1)
        fires = (strength > threshold).to(strength.dtype) + window - window.detach()
        return strength * fires, fires.sum(2).mean(1), strength

    def _pursue(self, inputs: Tensor) -> Float[Tensor, "candidate row latent"]:
        """Matching pursuit with positive codes: again and again the direction that takes most off what is left.

        Which latents are chosen is found through the directions' inner products; gradients flow through the codes.
        """
        directions = self.parameters["decoder"]
        left = (inputs - self.parameters["bias"]).expand(len(directions), -1, -1)
        codes = left.new_zeros(*left.shape[:2], directions.shape[1])
        with torch.no_grad():
            inner = torch.bmm(left, directions.transpose(1, 2)).masked_fill(
                ~self.present(directions.shape[1]), -torch.inf
            )
            overlaps = torch.bmm(directions, directions.transpose(1, 2))
        counts = self.candidates.sparsity.long()
        for step in range(int(counts.max())):
            best = inner.argmax(2, keepdim=True)
            chosen = directions.gather(1, best.expand(-1, -1, directions.shape[2]))
            value = (left * chosen).sum(2, keepdim=True).relu() * (step < counts)[:, None, None]
            left = left - value * chosen
            codes = codes.scatter_add(2, best, value)
            inner = inner - value.detach() * overlaps.gather(1, best.expand(-1, -1, overlaps.shape[2]))
        return codes


def _near(rows: Float[Tensor, "*any d"], generator: torch.Generator) -> Float[Tensor, "*any d"]:
    """Unit vectors close to the directions of rows."""
    noise = NOISE / math.sqrt(rows.shape[-1]) * torch.randn(rows.shape, generator=generator)
    near: Tensor = torch.nn.functional.normalize(torch.nn.functional.normalize(rows, dim=-1) + noise, dim=-1)
    return near
