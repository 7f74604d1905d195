"""Patched runs that certificates are made of, each over many pairs of inputs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.certification.subject import PairIndex, Subject


def interchanged(
    subject: Subject,
    site: str,
    basis: Float[Tensor, "d_model k"],
    pair: PairIndex,
    *,
    complement: bool = False,
    beside: tuple[Float[Tensor, "d_model j"], Int[Tensor, " pair"]] | None = None,
) -> Int[Tensor, " pair"]:
    """Output classes when a subspace at a site (or everything at that site but it) is taken from the source.

    Args:
        subject: what is examined.
        site: a site of the residual stream.
        basis: the subspace.
        pair: rows of bases and sources.
        complement: everything but the subspace is taken.
        beside: a second subspace, outside of which the base's residual stream at the site is that of other rows.
    """
    stage, at = subject.stage_of(site), subject.position_of(site)
    stream = subject.activations.stage_inputs[stage]
    base, source = stream[pair[0]], stream[pair[1]]
    if beside is not None:
        span, other = beside
        base[:, at] = stream[other][:, at] + (base[:, at] - stream[other][:, at]) @ span @ span.T
    taken, kept = (base, source) if complement else (source, base)
    patched = kept.clone()
    patched[:, at] += (taken[:, at] - kept[:, at]) @ basis @ basis.T
    if complement and at != slice(None):
        others = torch.ones(patched.shape[1], dtype=torch.bool)
        others[at] = False
        patched[:, others] = base[:, others]
    return subject.finish(stage, patched)


def edge_patched(subject: Subject, edge: str, pair: PairIndex) -> Int[Tensor, " pair"]:
    """Output classes when one reader sees what one node wrote for the source."""
    pieces = subject.pieces(len(pair[0]))
    return torch.cat([_edge_patched(subject, edge, (pair[0][some], pair[1][some])) for some in pieces])


def _edge_patched(subject: Subject, edge: str, pair: PairIndex) -> Int[Tensor, " pair"]:
    graph, network = subject.network.graph, subject.network
    reader, node = graph.edge_index(edge)
    written = subject.written(node)
    change = written[pair[1]] - written[pair[0]]
    if reader == graph.output_reader:
        return subject.classes(network.unembed(subject.activations.stage_inputs[-1][pair[0]] + change))
    stage = next(i for i, s in enumerate(graph.stages) if reader in s.readers)
    fed = int(graph.fed_by[reader])
    readers = [r for r in graph.stages[stage].readers if int(graph.fed_by[r]) == fed]
    reads = subject.activations.stage_inputs[stage][pair[0]].repeat(len(readers), 1, 1, 1)
    reads[reader - readers[0]] += change
    (written_now,) = network.stage(stage, reads, [fed - graph.stages[stage].nodes.start])
    resid = subject.activations.stage_inputs[stage + 1][pair[0]] + (written_now - subject.written(fed)[pair[0]])
    return subject.finish(stage + 1, resid)


def circuit_only(
    subject: Subject,
    edges: Sequence[str],
    pair: PairIndex,
    patched: tuple[str, Int[Tensor, " pair"]] | None = None,
) -> Int[Tensor, " pair"]:
    """Output classes when every edge but the given ones carries what its node wrote for the source.

    A reader then reads the source's residual stream plus, for each edge of the circuit, what the node writes now less
    what it wrote for the source; nodes that no edge of the circuit leaves need not be computed.

    Args:
        subject: what is examined.
        edges: the circuit.
        pair: rows of bases, and of the sources that all other edges carry.
        patched: an edge of the circuit and the rows that it carries, another source's.
    """
    outcomes = []
    for some in subject.pieces(len(pair[0])):
        other = None if patched is None else (patched[0], patched[1][some])
        outcomes.append(_circuit_only(subject, edges, (pair[0][some], pair[1][some]), other))
    return torch.cat(outcomes)


def _circuit_only(
    subject: Subject, edges: Sequence[str], pair: PairIndex, patched: tuple[str, Int[Tensor, " pair"]] | None
) -> Int[Tensor, " pair"]:
    network, graph, kept = subject.network, subject.network.graph, subject.activations
    indices = [graph.edge_index(edge) for edge in edges]
    carried = {node for _, node in indices}
    other = graph.edge_index(patched[0]) if patched is not None else None
    change: dict[int, Tensor] = {
        n: subject.written(n)[pair[0]] - subject.written(n)[pair[1]] for n in carried if n < graph.n_embedding_nodes
    }

    def read(reader: int, stream: Tensor) -> Tensor:
        for edge in indices:
            if edge[0] == reader:
                if patched is not None and edge == other:
                    written = subject.written(edge[1])
                    stream = stream + (written[patched[1]] - written[pair[1]])
                else:
                    stream = stream + change[edge[1]]
        return stream

    for index, stage in enumerate(graph.stages):
        wanted = [n for n in stage.nodes if n in carried]
        if wanted:
            stream = kept.stage_inputs[index][pair[1]]
            readers = [r for r in stage.readers if int(graph.fed_by[r]) in wanted]
            reads = torch.stack([read(r, stream) for r in readers])
            outputs = network.stage(index, reads, [n - stage.nodes.start for n in wanted])
            change |= {n: out - subject.written(n)[pair[1]] for n, out in zip(wanted, outputs, strict=True)}
    return subject.classes(network.unembed(read(graph.output_reader, kept.stage_inputs[-1][pair[1]])))
