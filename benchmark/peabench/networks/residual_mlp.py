"""A residual MLP whose blocks hold parallel units, so that a circuit has nodes to choose among."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from typing_extensions import override

from peabench.networks.config import ResidualMLPConfig
from peabench.networks.graph import residual_mlp_graph
from peabench.networks.network import Network


class UnitBlock(nn.Module):
    """Parallel units f(x W_in + b_in) W_out, stacked; the children `unit0`, `unit1`, ... are places for hooks.

    f is relu or square. Where units are bilinear, the columns of W_in are the first factor of every hidden neuron, then
    the second of each.
    """

    def __init__(self, config: ResidualMLPConfig, generator: torch.Generator | None) -> None:
        super().__init__()
        shape = (config.n_units, config.d_model, config.d_projected)
        self.w_in = nn.Parameter(torch.randn(shape, generator=generator) / math.sqrt(config.d_model))
        self.b_in = nn.Parameter(torch.zeros(config.n_units, config.d_projected))
        self.w_out = nn.Parameter(
            torch.randn(shape[0], config.d_hidden, shape[1], generator=generator) / math.sqrt(config.d_hidden)
        )
        for unit in range(config.n_units):
            self.add_module(f"unit{unit}", nn.Identity())


class ResidualMLP(Network):
    """Input columns, each embedded and all added up; blocks of parallel units; a linear output.

    A column of 0 and 1 is embedded as -1 and +1 times a direction of its own, a column of words by a table.
    """

    config: ResidualMLPConfig

    def __init__(self, config: ResidualMLPConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(residual_mlp_graph(config))
        self.config = config
        self.w_embed = nn.Parameter(
            torch.randn(config.n_rows, config.d_model, generator=generator) / math.sqrt(config.d_model)
        )
        self.b_embed = nn.Parameter(torch.zeros(config.d_model))
        for column in range(config.n_inputs):
            self.add_module(f"input{column}", nn.Identity())
        for block in range(config.n_blocks):
            self.add_module(f"block{block}", UnitBlock(config, generator))
        self.w_output = nn.Parameter(
            torch.randn(config.d_model, config.d_output, generator=generator) / math.sqrt(config.d_model)
        )
        self.b_output = nn.Parameter(torch.zeros(config.d_output))

    def block(self, index: int) -> UnitBlock:
        """The block's parameters."""
        return self.get_submodule(f"block{index}")  # type: ignore[return-value]  # add_module loses the type

    @property
    def degree(self) -> int:
        """A neuron that reads c > 0 times as much gives c to this power times as much."""
        return 1 if self.config.activation == "relu" else 2

    @override
    @property
    def constant(self) -> Float[Tensor, " d_model"]:
        return self.b_embed

    @override
    def embedding_nodes(self, inputs: Int[Tensor, "batch column"]) -> Float[Tensor, "node batch 1 d_model"]:
        self.admit(inputs)
        if self.config.words is not None:
            first = torch.tensor([row for row, _ in self.config.words], device=inputs.device)
            return F.embedding((inputs + first).T, self.w_embed)[:, :, None, :]
        signs = inputs.to(self.w_embed.dtype) * 2 - 1
        return (signs.T[:, :, None] * self.w_embed[:, None, :])[:, :, None, :]

    @override
    def stage_bias(self, stage: int) -> None:
        return None

    @override
    def stage(
        self, stage: int, reads: Float[Tensor, "reader *row position d_model"], nodes: list[int] | None = None
    ) -> Float[Tensor, "node *row position d_model"]:
        block = self.block(stage)
        some = slice(None) if nodes is None else nodes
        rows = reads.shape[1:-1]
        flat = reads.reshape(reads.shape[0], -1, reads.shape[-1])
        self.count(stage, flat, flat.shape[1])
        hidden = self.react(stage, torch.matmul(flat, block.w_in[some]) + block.b_in[some][:, None])
        return torch.bmm(hidden, block.w_out[some]).reshape(len(hidden), *rows, -1)

    @override
    def stage_sum(
        self, stage: int, resid: Float[Tensor, "*row position d_model"]
    ) -> Float[Tensor, "*row position d_model"]:
        return self.write(stage, self.react(stage, self.project(stage, resid))).add_(resid)

    @override
    def project(self, stage: int, resid: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row unit projected"]:
        block = self.block(stage)
        self.count(stage, resid, resid.numel() / resid.shape[-1])
        wide = block.w_in.transpose(0, 1).reshape(resid.shape[-1], -1)
        projections: Tensor = F.linear(resid, wide.T, block.b_in.flatten()).unflatten(-1, block.b_in.shape)
        return projections

    @override
    def react(self, stage: int, projections: Float[Tensor, "*row unit projected"]) -> Float[Tensor, "*row unit hidden"]:
        if self.config.activation == "bilinear":
            first, second = projections.chunk(2, -1)
            return first * second
        if self.config.activation == "square":
            return projections.square()
        return projections.relu() if projections.requires_grad else projections.relu_()

    @override
    def write(self, stage: int, inner: Float[Tensor, "*row unit hidden"]) -> Float[Tensor, "*row d_model"]:
        return inner.flatten(-2) @ self.block(stage).w_out.flatten(0, 1)

    @override
    def output_weights(self, stage: int) -> Float[Tensor, "unit hidden d_model"]:
        return self.block(stage).w_out

    @override
    def pull_back(
        self, stage: int, gradients: Float[Tensor, "*row unit projected"]
    ) -> Float[Tensor, "unit *row d_model"]:
        return torch.einsum("...uh,udh->u...d", gradients, self.block(stage).w_in)

    @override
    def stage_cost(self, stage: int) -> float:
        return float(self.config.n_units * self.config.d_model * (self.config.d_projected + self.config.d_hidden))
