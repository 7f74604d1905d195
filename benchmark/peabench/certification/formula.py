"""The formula of a mechanism that was derived: what its network computes if nothing matters but what is claimed.

It is the network with everything but the claim left out: heads look at the claimed keys and at nothing
else, edges off the first minimal circuit carry their mean over the inputs, and so does every head without a claim.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.certification.subject import Subject
from peabench.interventions import Activations
from peabench.mechanism import Attends, evaluate
from peabench.networks import Graph, Transformer


@dataclass(frozen=True)
class Formula:
    """What is claimed of the heads of a network, ready to be run on its rows."""

    subject: Subject
    activations: Activations
    """Of the network that is looked at, on the subject's rows or the first of them."""
    keys: list[Bool[Tensor, "row position"]]
    """The keys of each claim, on all rows."""
    carried: set[tuple[int, int]] = field(default_factory=set)
    """(reader, node) of the first minimal circuit."""

    @classmethod
    def of(cls, subject: Subject, activations: Activations | None = None) -> "Formula":
        """The formula of a mechanism, with the weights of the subject or of another network of its shape."""
        activations = activations or subject.activations
        rows, length = len(activations.inputs), subject.network.graph.n_positions
        keys = [
            evaluate(claim.keys, subject.values, subject.model.kinds).expand(len(subject.rows), length)[:rows]
            for claim in subject.mechanism.attention or ()
        ]
        circuit = subject.mechanism.circuit
        edges = circuit.sufficient[0] if circuit else subject.network.graph.edges
        return cls(subject, activations, keys, {subject.network.graph.edge_index(edge) for edge in edges})

    @property
    def claims(self) -> tuple[Attends, ...]:
        """What is claimed of heads."""
        return self.subject.mechanism.attention or ()

    @property
    def heads(self) -> list[str]:
        """The heads of which something is claimed."""
        return sorted({claim.head for claim in self.claims})

    @property
    def graph(self) -> Graph:
        """The network's graph."""
        return self.activations.network.graph

    def attended(self) -> Iterator[Bool[Tensor, " row"]]:
        """For each claim and row, whether the most attended key is one of the claimed ones (or none is claimed)."""
        for claim, keys in zip(self.claims, self.keys, strict=True):
            stage, head = head_of(self.graph, claim.head)
            queries, against = self.activations.queries[stage], self.activations.keys[stage]
            if queries is None or against is None:
                raise ValueError(f"expected the stage of {claim.head} to be attention")
            scores = torch.einsum("be,kbe->bk", queries[claim.query, :, head], against[:, :, head])
            if self.activations.network.config.causal:
                scores = scores[:, : claim.query + 1]
            looked = keys.gather(1, scores.argmax(1, keepdim=True))[:, 0]
            yield looked | ~keys[:, : scores.shape[1]].any(1)

    def logits(
        self, rows: Int[Tensor, " row"], source: Int[Tensor, " row"] | None = None
    ) -> Float[Tensor, "row 1 output"]:
        """What the formula gives at the last position.

        Args:
            rows: which rows.
            source: rows whose keys are looked at instead of their own.
        """
        network, graph, kept = self.activations.network, self.graph, self.activations
        if not isinstance(network, Transformer):
            raise ValueError("expected a transformer")
        means = kept.nodes.mean(1)
        change: dict[int, Tensor] = {
            n: kept.nodes[n][rows] - means[n] for n in range(graph.n_embedding_nodes) if self._used(n)
        }

        def read(reader: int, stage: int) -> Tensor:
            stream = kept.stage_inputs[stage].mean(0).expand(len(rows), -1, -1)
            for node, difference in change.items():
                if (reader, node) in self.carried:
                    stream = stream + difference
            return stream

        for index, stage in enumerate(graph.stages):
            wanted = [n for n in stage.nodes if self._used(n)]
            if not wanted:
                continue
            reads = torch.stack([read(reader, index) for reader in stage.readers])
            if stage.kind != "attention":
                outputs = network.stage(index, reads)
                change |= {n: outputs[n - stage.nodes.start] - means[n] for n in wanted}
                continue
            for n in wanted:
                claimed = self._claimed(graph.nodes[n], rows if source is None else source)
                if claimed:
                    head = n - stage.nodes.start
                    ports = reads[3 * head : 3 * head + 3]
                    change[n] = attention_by_claim(network, index, head, ports, claimed) - means[n]
        return network.unembed(read(graph.output_reader, len(graph.stages))[:, -1:])

    def _used(self, node: int) -> bool:
        return any(source == node for _, source in self.carried)

    def _claimed(self, head: str, rows: Int[Tensor, " row"]) -> dict[int, Bool[Tensor, "row position"]]:
        """Keys at each query position of a head of which something is claimed."""
        return {
            claim.query: keys[rows] for claim, keys in zip(self.claims, self.keys, strict=True) if claim.head == head
        }


def attention_by_claim(
    network: Transformer,
    stage: int,
    head: int,
    reads: Float[Tensor, "3 row position d_model"],
    keys: dict[int, Bool[Tensor, "row position"]],
) -> Float[Tensor, "row position d_model"]:
    """A head's output where it looks evenly at given keys; at other queries, and without keys, as it does."""
    block = network.block(network.graph.stages[stage].block)
    weights, x = block.attention, block.norm_attention(reads)
    q, k, v = (x @ weights.w_qkv[head][:, None] + weights.b_qkv[head][:, None, None]).unbind()
    scores = q @ k.transpose(-1, -2) / network.config.d_head**0.5 + network.mask
    pattern = scores.softmax(-1)
    for query, given in keys.items():
        seen = given & torch.isfinite(network.mask[query])
        count = seen.sum(1, keepdim=True)
        pattern[:, query] = torch.where(count > 0, seen / count.clamp(min=1), pattern[:, query])
    written: Tensor = pattern @ v @ weights.w_o[head]
    return written


def head_of(graph: Graph, head: str) -> tuple[int, int]:
    """Stage of a head, and its number within it."""
    node = graph.nodes.index(head)
    return next((i, node - stage.nodes.start) for i, stage in enumerate(graph.stages) if node in stage.nodes)
