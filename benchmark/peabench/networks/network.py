"""The interface that every toy network offers to the engine: stages of readers and nodes on a residual stream."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from peabench.cost import Meter, UnshownInput
from peabench.networks.graph import Graph


class Network(nn.Module, ABC):
    """A residual-stream network whose parts have addresses.

    `forward` runs it as an ordinary `nn.Module`: every node passes through the submodule of its own address
    (`network.get_submodule("block1.unit2")`) and every `resid.<block>` through one of that name, so ordinary forward
    hooks read and change them. The other methods compute the same function stage by stage for the engine.
    """

    graph: Graph
    config: Any
    meter: Meter
    w_output: nn.Parameter
    """Unembedding [d_model, output], applied after `output_norm`."""
    b_output: nn.Parameter

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.meter = Meter()
        self.resid = nn.ModuleList(nn.Identity() for _ in range(graph.n_blocks + 1))

    @property
    @abstractmethod
    def constant(self) -> Float[Tensor, " d_model"] | None:
        """What the residual stream holds beside the embedding nodes."""

    @abstractmethod
    def embedding_nodes(self, inputs: Int[Tensor, "batch column"]) -> Float[Tensor, "node batch position d_model"]:
        """Outputs of the embedding nodes."""

    @abstractmethod
    def stage_bias(self, stage: int) -> Float[Tensor, " d_model"] | None:
        """A constant that a stage adds to the residual stream beside its nodes."""

    @abstractmethod
    def stage(
        self, stage: int, reads: Float[Tensor, "reader *row position d_model"], nodes: list[int] | None = None
    ) -> Float[Tensor, "node *row position d_model"]:
        """Outputs of a stage's nodes, each reader with a residual stream of its own.

        A leading axis of size 1 stands for readers that all read the same. Where nodes of the stage are named by their
        numbers in it, the reads are those of their readers, and theirs are the only outputs.
        """

    def output_norm(self, read: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row d_model"]:
        """The norm before the unembedding."""
        return read

    def unembed(self, read: Float[Tensor, "*row d_model"]) -> Float[Tensor, "*row output"]:
        """Logits from what `output` reads."""
        return self.output_norm(read) @ self.w_output + self.b_output

    @abstractmethod
    def stage_cost(self, stage: int) -> float:
        """Multiplications of one example in this stage, for the share of a pass that it is."""

    @abstractmethod
    def project(
        self, stage: int, resid: Float[Tensor, "position *row d_model"]
    ) -> Float[Tensor, "position *row reader e"]:
        """A stage in three steps, for shared reads with positions leading: what each reader takes from the read.

        Affine but for a norm. Heads have two axes for `reader`: (q, k, v) and head.
        """

    @abstractmethod
    def react(
        self, stage: int, projections: Float[Tensor, "position *row reader e"]
    ) -> Float[Tensor, "position *row node e"]:
        """The nonlinear second step: hidden neurons, or values mixed by attention over all positions.

        Without gradients it writes over its argument: new pages of memory cost as much as the arithmetic.
        """

    @abstractmethod
    def write(self, stage: int, inner: Float[Tensor, "position *row node e"]) -> Float[Tensor, "position *row d_model"]:
        """The third step: what the stage adds to the residual stream, its nodes and its bias together."""

    @abstractmethod
    def output_weights(self, stage: int) -> Float[Tensor, "node e d_model"]:
        """The weights of the third step, node by node."""

    def spread(
        self, stage: int, inner: Float[Tensor, "position *row node e"], nodes: Sequence[int] | None = None
    ) -> Float[Tensor, "node position *row d_model"]:
        """The third step for each node (or some) apart, without biases: linear, it maps differences to differences."""
        weights = self.output_weights(stage)
        if nodes is not None and list(nodes) != list(range(len(weights))):
            inner, weights = inner[..., nodes, :], weights[nodes]
        return torch.einsum("...ne,ned->n...d", inner, weights)

    @abstractmethod
    def pull_back(
        self, stage: int, gradients: Float[Tensor, "position *row reader e"]
    ) -> Float[Tensor, "reader position *row d_model"]:
        """From gradients at the projections to those at each reader's own read as it is after the norm's division."""

    def norm_tangent(
        self,
        stage: int,
        resid: Float[Tensor, "position batch d_model"],
        vectors: Float[Tensor, "vector position batch d_model"],
    ) -> Float[Tensor, "vector position batch d_model"]:
        """The derivative of the norm's division at a read, applied to vectors; it is its own transpose."""
        return vectors

    def stage_sum(
        self, stage: int, resid: Float[Tensor, "*row position d_model"]
    ) -> Float[Tensor, "*row position d_model"]:
        """The residual stream after a stage in which every reader read the same; no node is kept apart."""
        return self.advance(stage, resid, self.stage(stage, resid[None]))

    def start(self, nodes: Float[Tensor, "node *row position d_model"]) -> Float[Tensor, "*row position d_model"]:
        """`resid.0`: the sum of the embedding nodes and the constant."""
        total = nodes[: self.graph.n_embedding_nodes].sum(0)
        return total if self.constant is None else total + self.constant

    def advance(
        self,
        stage: int,
        resid: Float[Tensor, "*row position d_model"],
        nodes: Float[Tensor, "node *row position d_model"],
    ) -> Float[Tensor, "*row position d_model"]:
        """The residual stream after a stage has written its nodes."""
        resid = resid + nodes.sum(0)
        bias = self.stage_bias(stage)
        return resid if bias is None else resid + bias

    def admit(self, inputs: Int[Tensor, "batch column"]) -> None:
        """Refuse inputs, or beginnings of inputs, that are not among those that may be run.

        Raises:
            UnshownInput: the question shows no such input, and allows no others.
        """
        if self.meter.inputs is None:
            return
        shown = self.meter.inputs[:, : inputs.shape[1]].to(inputs.device)
        unknown = int((~(inputs[:, None] == shown).all(-1).any(-1)).sum())
        if unknown:
            raise UnshownInput(
                f"Expected inputs that the question shows, got {unknown} others; run question.inputs only."
            )

    def forward(self, inputs: Int[Tensor, "batch column"]) -> Float[Tensor, "batch position output"]:
        """Logits, with every node and residual stream passing through its addressed submodule."""
        embedded = self.embedding_nodes(inputs)
        named = [self.get_submodule(name)(value) for name, value in zip(self.graph.nodes, embedded, strict=False)]
        resid = self.start(torch.stack(named))
        for index, stage in enumerate(self.graph.stages):
            if index == self.graph.first_stage_of_block(stage.block):
                resid = self.resid[stage.block](resid)
            outputs = self.stage(index, resid[None])
            named = [self.get_submodule(self.graph.nodes[n])(outputs[i]) for i, n in enumerate(stage.nodes)]
            resid = self.advance(index, resid, torch.stack(named))
        return self.unembed(self.resid[self.graph.n_blocks](resid))

    def count(self, stage: int, rows: Float[Tensor, "*any"], examples: float) -> None:
        """Tell the meter that a stage ran for so many examples, and to count its backward pass if one follows."""
        share = self.share(stage, examples)
        self.meter.count_forward(share)
        if rows.requires_grad and torch.is_grad_enabled():
            rows.register_hook(lambda _: self.meter.count_backward(share))

    def share(self, stage: int, examples: float) -> float:
        """Example-passes that a stage makes for so many examples."""
        return examples * self.stage_cost(stage) / self.pass_cost

    @cached_property
    def pass_cost(self) -> float:
        """Multiplications of one whole forward pass of one example."""
        return sum(self.stage_cost(i) for i in range(len(self.graph.stages)))
