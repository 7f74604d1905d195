"""The residual stream of a network as features to be mapped to another's, and the network run on from them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from sklearn.linear_model import Ridge
from torch import Tensor

from peabench.interventions import MEMORY_BYTES, Activations, SubspacePatch, run_patched, run_with_cache
from peabench.interventions.activations import needed_positions
from peabench.interventions.chunks import example_bytes, pieces
from peabench.networks import Network
from peabench.tracks.pairs import predicted_class

RIDGE = 1e-4
"""Penalty on the weights of a linear map, in units of the mean variance of the features."""


@dataclass(frozen=True)
class Streams:
    """A run of a network whose residual stream can be read, and run on from."""

    run: Activations

    @property
    def network(self) -> Network:
        """The network that ran."""
        return self.run.network

    @property
    def stages(self) -> range:
        """Stages before which streams are compared: all but the first, whose stream is the embedding.

        What `output` reads is left out, for the outputs, which are the same in all networks, tell it; unless a network
        has one stage, so that there is nothing else.
        """
        return range(1, max(2, len(self.network.graph.stages)))

    def live(self, stage: int) -> tuple[int, ...]:
        """Positions before a stage that can still reach the output at the last one."""
        length = len(self.run.embedded)
        return needed_positions(self.network, (length - 1,), length)[stage]

    def features(self, stage: int) -> Float[Tensor, "row feature"]:
        """The stream before a stage at its live positions, side by side."""
        return self.run.at(stage, self.live(stage)).transpose(0, 1).flatten(1)

    def stream(self, stage: int, features: Float[Tensor, "*row feature"]) -> Float[Tensor, "*row position d_model"]:
        """The whole stream with these features in place of its own."""
        whole = self.run.resid[stage].transpose(0, 1).expand(*features.shape[:-1], -1, -1).clone()
        live = self.live(stage)
        whole[..., list(live), :] = features.unflatten(-1, (len(live), -1))
        return whole

    def outcomes(self, stage: int, features: Float[Tensor, "hypothesis row feature"]) -> Int[Tensor, "hypothesis row"]:
        """What the network predicts with these features in place of its own."""
        identity = torch.eye(self.network.config.d_model, device=features.device)[None]
        size = example_bytes(self.network) * len(self.run.embedded) * features.shape[1]
        found = []
        for some in pieces(len(features), size, MEMORY_BYTES):
            patch = SubspacePatch(stage, identity, self.stream(stage, features[some]))
            logits = run_patched(self.network, self.run, subspaces=[patch], hypotheses=len(patch.values))
            found.append(predicted_class(logits))
        return torch.cat(found)


def streams(network: Network, inputs: Int[Tensor, "row column"]) -> Streams:
    """One run of a network on some inputs."""
    return Streams(run_with_cache(network, inputs))


def paired_stages(one: range, other: range) -> list[tuple[int, int]]:
    """Stages of two networks at equal relative depth, as many as the deeper has: of n, depth i of m is ceil(i n / m).

    >>> paired_stages(range(1, 3), range(1, 5))
    [(1, 1), (1, 2), (2, 3), (2, 4)]
    """
    depths = max(len(one), len(other))

    def chosen(stages: range) -> list[int]:
        return [stages[-(-i * len(stages) // depths) - 1] for i in range(1, depths + 1)]

    return list(zip(chosen(one), chosen(other), strict=True))


@dataclass(frozen=True)
class LinearMap:
    """x W + b."""

    weights: Float[Tensor, "feature target"]
    offset: Float[Tensor, " target"]

    def __call__(self, features: Float[Tensor, "row feature"]) -> Float[Tensor, "row target"]:
        """The targets predicted."""
        return features @ self.weights + self.offset


def fitted_map(features: Float[Tensor, "row feature"], targets: Float[Tensor, "row target"]) -> LinearMap:
    """The linear map that predicts targets from features, by ridge regression."""
    variance = float(features.double().var(0, correction=0).mean())
    ridge = Ridge(alpha=max(RIDGE * variance * len(features), 1e-12))
    ridge.fit(features.double().cpu().numpy(), targets.double().cpu().numpy())
    weights = torch.from_numpy(ridge.coef_.reshape(targets.shape[1], -1).T)
    offset = torch.from_numpy(ridge.intercept_.reshape(-1))
    return LinearMap(weights.to(features), offset.to(features))


def different_inputs(
    inputs: Int[Tensor, "row column"], count: int, generator: torch.Generator
) -> tuple[Int[Tensor, "row column"], Int[Tensor, "row column"]]:
    """Two halves of the different inputs in an order drawn anew, each of at most `count`: one to fit on, one to test.

    Where there is one input only, both halves are it.
    """
    different = inputs.unique(dim=0)
    different = different[torch.randperm(len(different), generator=generator)][: 2 * count]
    half = max(1, len(different) // 2)
    return different[:half], different[half:] if len(different) > 1 else different
