"""Which functions of the inputs hidden neurons compute: their power over the characters of the domain."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.interventions import run_with_cache
from peabench.interventions.activations import positions_of
from peabench.networks import Network

MOST_INPUTS = 1 << 14
"""Larger domains are not transformed."""
CHUNK = 4096


def hidden_neurons(network: Network, domain: ProductDomain) -> Float[Tensor, "neuron input"]:
    """Activations of all neurons of MLPs and units on the whole domain, at the last position."""
    found = []
    for inputs in domain.all().split(CHUNK):
        last = positions_of(network, inputs) - 1
        run = run_with_cache(network, inputs, look=(last,))
        stages = [number for number, stage in enumerate(network.graph.stages) if stage.kind != "attention"]
        neurons = [network.react(stage, network.project(stage, run.at(stage, (last,)))) for stage in stages]
        found.append(torch.cat([layer[0].flatten(1) for layer in neurons], 1).T)
    return torch.cat(found, 1)


def reason_against_spectra(networks: tuple[Network, ...], domain: ProductDomain) -> str | None:
    """Why there are no spectra of neurons, if so."""
    if domain.size > MOST_INPUTS:
        return f"The domain has {domain.size} inputs; the transform takes at most {MOST_INPUTS}."
    if any(all(stage.kind == "attention" for stage in network.graph.stages) for network in networks):
        return "A network has no hidden neurons."
    return None


def power_spectra(
    functions: Float[Tensor, "function input"], domain: ProductDomain
) -> Float[Tensor, "function character"]:
    """Shares of each function's variance that the characters of the domain carry; 0 for one that never varies.

    A domain of columns with p, q, ... values is taken for the group Z_p × Z_q × ...: characters are products of one
    Fourier mode per column, for columns of 0 and 1 the Walsh functions (parities). Character k of the flat axis has the
    modes of the domain's input k; the constant one, 0, is set to 0. A function and its multiples have one spectrum.
    """
    coefficients, after = functions.double(), domain.size
    for size in domain.sizes:  # one axis at a time: MKL takes no more than seven together
        after //= size
        if size > 1:
            coefficients = torch.fft.fft(coefficients.reshape(len(functions), -1, size, after), dim=2).flatten(1)
    power = coefficients.abs().square()
    power[:, 0] = 0
    total = power.sum(1, keepdim=True)
    varies = total > 1e-9 * functions.double().square().sum(1, keepdim=True) * domain.size
    return torch.where(varies, power / total.clamp(min=1e-300), 0.0)
