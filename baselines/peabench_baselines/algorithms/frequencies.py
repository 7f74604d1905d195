"""How well a set of Fourier frequencies fits a spectrum over them."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.tracks.algorithms import AlgorithmQuestion


def modulus_of(question: AlgorithmQuestion) -> int:
    """How many values the first column takes: p of arithmetic modulo p."""
    return question.domain.sizes[0]


def reason_against_frequencies(question: AlgorithmQuestion) -> str | None:
    """Why hypotheses cannot be compared with a Fourier spectrum, if so."""
    if any(candidate.frequencies is None for candidate in question.hypotheses):
        return "A hypothesis names no Fourier frequencies."
    if len(question.domain.sizes) < 2 or question.domain.sizes[1] != modulus_of(question):
        return "The first two columns do not take equally many values, as numbers modulo p would."
    return None


def frequency_fits(power: Float[Tensor, " frequency"], question: AlgorithmQuestion) -> Float[Tensor, " hypothesis"]:
    """Cosine of the amplitudes at frequencies 0, 1, ... p // 2 with each hypothesis's set of frequencies.

    It is largest for the set that leaves out no strong frequency and takes in no weak one; k and p - k are the same.
    """
    modulus = modulus_of(question)
    sets = torch.zeros(len(question.hypotheses), len(power), dtype=power.dtype)
    for claimed, candidate in zip(sets, question.hypotheses, strict=True):
        claimed[[min(k % modulus, -k % modulus) for k in candidate.frequencies or ()]] = 1
    units = [torch.nn.functional.normalize(vectors, dim=-1) for vectors in (sets, power.clamp(min=0).sqrt())]
    return units[0] @ units[1]
