"""Whether a mechanism speaks of this very network: its sites, edges, columns, and the widths of its tensors."""

from collections.abc import Iterator
from pathlib import Path

from peabench.mechanism import Mechanism, SiteAddress, infer
from peabench.mechanism.errors import in_file
from peabench.mechanism.mechanism import MECHANISM_FILE
from peabench.networks import Graph, NetworkConfig, ResidualMLPConfig
from peabench.networks.graph import residual_mlp_graph, transformer_graph


def check_truth(mechanism: Mechanism, config: NetworkConfig, folder: Path) -> None:
    """That everything a mechanism names is in the network.

    Raises:
        MechanismError: one line that names the file in `folder`, the field, what was expected and what came.
    """
    residual = isinstance(config, ResidualMLPConfig)
    graph = residual_mlp_graph(config) if isinstance(config, ResidualMLPConfig) else transformer_graph(config)
    columns = config.n_inputs if isinstance(config, ResidualMLPConfig) else config.n_positions
    known = "n_inputs" if residual else "n_positions"
    for field, complaint in (
        *_columns(mechanism, columns, known),
        *_locations(mechanism, graph, config),
        *_features(mechanism, graph, config),
        *_edges(mechanism, graph),
        *_attention(mechanism, graph),
        *_beliefs(mechanism, graph, config),
    ):
        raise in_file(folder / MECHANISM_FILE, field, complaint)


Complaints = Iterator[tuple[str, str]]
"""The path of a field, and what is wrong with it."""


def _columns(mechanism: Mechanism, columns: int, known: str) -> Complaints:
    for i, variable in enumerate(mechanism.causal_model.variables):
        if max(variable.columns, default=-1) >= columns:
            yield (
                f"causal_model.variables.{i}.columns",
                f"expected columns below the network's {known} {columns}, got {max(variable.columns)}; correct it",
            )


def _locations(mechanism: Mechanism, graph: Graph, config: NetworkConfig) -> Complaints:
    for i, alignment in enumerate(mechanism.alignments):
        for j, location in enumerate(alignment.locations):
            field = f"alignments.{i}." + (f"alternatives.{j - 1}" if j else "location")
            yield from _site(location.site, graph, f"{field}.site")
            width = _width(location.site, config)
            if location.basis is not None and location.basis.shape[0] != width:
                came = location.basis.shape[0]
                yield f"{field}.basis.shape", f"expected a basis of {width} rows at {location.site}, got {came}"
            if max(location.neurons or (), default=-1) >= width:
                came = max(location.neurons or ())
                yield f"{field}.neurons", f"expected neurons below {width} at {location.site}, got {came}"


def _features(mechanism: Mechanism, graph: Graph, config: NetworkConfig) -> Complaints:
    for i, feature in enumerate(mechanism.features):
        yield from _site(feature.site, graph, f"features.{i}.site")
        width = _width(feature.site, config)
        if feature.direction.shape[0] != width:
            came = feature.direction.shape[0]
            yield f"features.{i}.direction.shape", f"expected a direction of {width} at {feature.site}, got {came}"


def _edges(mechanism: Mechanism, graph: Graph) -> Complaints:
    # Minimal circuits hold listed edges only: the circuit itself sees to that.
    for i, item in enumerate(mechanism.circuit.edges if mechanism.circuit else ()):
        if item.edge not in graph.edge_number:
            yield f"circuit.edges.{i}.edge", f"expected an edge of the network, got {item.edge!r}; remove or correct it"


def _attention(mechanism: Mechanism, graph: Graph) -> Complaints:
    for i, claim in enumerate(mechanism.attention or ()):
        if claim.head not in graph.nodes:
            yield f"attention.{i}.head", f"expected a head of the network, got {claim.head!r}; correct it"
        if claim.query >= graph.n_positions:
            yield (
                f"attention.{i}.query",
                f"expected a position below {graph.n_positions}, got {claim.query}",
            )
        length = infer(claim.keys, mechanism.causal_model.kinds).length
        if length != graph.n_positions:
            yield f"attention.{i}.keys", f"expected one boolean per position ({graph.n_positions}), got {length}"


def _beliefs(mechanism: Mechanism, graph: Graph, config: NetworkConfig) -> Complaints:
    if mechanism.beliefs is None:
        return
    for i, readout in enumerate(mechanism.beliefs.readouts):
        field = "beliefs." + (f"alternatives.{i - 1}" if i else "readout")
        yield from _site(readout.site, graph, f"{field}.site")
        if readout.matrix.shape[0] != config.d_model:
            came = readout.matrix.shape[0]
            yield f"{field}.matrix.shape", f"expected a matrix of {config.d_model} rows at {readout.site}, got {came}"
    process = mechanism.beliefs.process
    if process is None:
        return
    if isinstance(config, ResidualMLPConfig) or not config.causal or config.d_output != process.n_tokens:
        yield (
            "beliefs.process",
            f"expected a causal transformer with a logit for each of {process.n_tokens} tokens, got another network; "
            "correct either",
        )


def _site(site: str, graph: Graph, field: str) -> Complaints:
    address = SiteAddress.parse(site)
    there = address.place <= graph.n_blocks if isinstance(address.place, int) else str(address.place) in graph.nodes
    if not there:
        yield field, f"expected a site of a network of {graph.n_blocks} blocks, got {site!r}; correct it"
    if address.position != "*" and address.position >= graph.n_positions:
        yield field, f"expected a position below {graph.n_positions}, got {site!r}; correct it"


def _width(site: str, config: NetworkConfig) -> int:
    """Numbers that the activations at a site have."""
    if not SiteAddress.parse(site).hidden:
        return config.d_model
    return config.d_hidden if isinstance(config, ResidualMLPConfig) else config.d_mlp
