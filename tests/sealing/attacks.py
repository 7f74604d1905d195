"""Attempts to get the truth of sealed tasks from what is published of them. Each is a number or a list of finds."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from peabench.networks import ResidualMLP
from peabench.networks.gauge import random_gauge
from peabench.training.stacked import orthonormal


def files(folder: Path) -> list[str]:
    """Paths of all files in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def found_in(folder: Path, secrets: Iterable[bytes]) -> list[str]:
    """Files that hold any of some bytes."""
    wanted = list(secrets)
    return [name for name in files(folder) if any(part in (folder / name).read_bytes() for part in wanted)]


def header(file: Path) -> str:
    """What a safetensors file says of its tensors: names, order, types, shapes, offsets, metadata."""
    data = file.read_bytes()
    return data[8 : 8 + int.from_bytes(data[:8], "little")].decode().strip()


def classes(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Task folders by what is told openly: the shape of the network, and the number of examples."""
    found = defaultdict(list)
    for folder in folders:
        record = json.loads((folder / "task.json").read_text())
        found[json.dumps([record["network"], record["examples"]])].append(folder)
    return found


def differing_sizes(folders: Sequence[Path], suffix: str) -> list[str]:
    """Files whose size differs between tasks of one class."""
    found = []
    for members in classes(folders).values():
        for name in files(members[0]):
            sizes = {(folder / name).stat().st_size for folder in members if (folder / name).exists()}
            found += [name] * (name.endswith(suffix) and len(sizes) > 1)
    return found


def writing_directions(network: ResidualMLP) -> Tensor:
    """Unit vectors along which inputs and hidden neurons write."""
    rows = [network.w_embed, *(network.block(b).w_out.flatten(0, 1) for b in range(network.config.n_blocks))]
    vectors = torch.cat(rows).detach()
    vectors = vectors[vectors.norm(dim=1) > 1e-6]
    unit: Tensor = vectors / vectors.norm(dim=1, keepdim=True)
    return unit


def axis_alignment(network: ResidualMLP) -> float:
    """How nearly what is written lies along single coordinates: mean fourth moment, 1 where it does."""
    return float((writing_directions(network) ** 4).sum(1).mean())


def axis_alignment_rank(network: ResidualMLP, draws: int = 99) -> float:
    """Share of random gauges under which a network is as aligned with the axes as it is, itself counted: a p-value."""
    own = axis_alignment(network)
    others = [axis_alignment(random_gauge(network, torch.Generator().manual_seed(i))[0]) for i in range(draws)]
    return (1 + sum(other >= own for other in others)) / (1 + draws)


def basis_from_seeds(network: ResidualMLP, seeds: Iterable[int], rotations: Iterable[Tensor] = ()) -> tuple[float, int]:
    """Guess the planted basis by drawing it as training does, from every seed.

    Args:
        network: published weights.
        seeds: guesses.
        rotations: guesses of the gauge's rotation that are undone first.

    Returns:
        The best mean |cosine| between inputs' embeddings and the guessed basis, and its seed.
    """
    width, inputs = network.config.d_model, network.config.n_inputs
    embeddings = (network.w_embed / network.w_embed.norm(dim=1, keepdim=True)).detach()
    turned = [embeddings, *(embeddings @ rotation.T for rotation in rotations)]
    best = (0.0, -1)
    for seed in seeds:
        basis = orthonormal((width, width), torch.Generator().manual_seed(seed))[:, :inputs].T
        score = max(float((one * basis).sum(1).abs().mean()) for one in turned)
        best = max(best, (score, seed))
    return best


def narrow_rotation(width: int, seed: int) -> Tensor:
    """The rotation that `random_gauge` draws first from a generator of 32 bits."""
    noise = torch.randn(width, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    q, r = torch.linalg.qr(noise)
    rotation: Tensor = (q * r.diagonal().sign()).float()
    return rotation


def turned(network: ResidualMLP, rotation: Tensor) -> ResidualMLP:
    """The same function with its residual stream turned, and nothing else changed."""
    changed = ResidualMLP(network.config)
    changed.load_state_dict(network.state_dict())
    with torch.no_grad():
        for weight in (changed.w_embed, changed.b_embed):
            weight.copy_(weight @ rotation)
        for index in range(network.config.n_blocks):
            block = changed.block(index)
            block.w_in.copy_(rotation.T @ block.w_in)
            block.w_out.copy_(block.w_out @ rotation)
        changed.w_output.copy_(rotation.T @ changed.w_output)
    return changed


def neuron_order(network: ResidualMLP) -> float:
    """Mean |rank correlation| of hidden neurons' numbers with their norms, over units."""
    found = []
    for index in range(network.config.n_blocks):
        block = network.block(index)
        strength = (block.w_in.norm(dim=1) * block.w_out.norm(dim=2)).detach()
        found += [abs(float(spearmanr(range(len(unit)), unit).statistic)) for unit in strength]
    return float(np.mean(found))


def odd_numbers(network: ResidualMLP) -> int:
    """Exact zeros, denormals and repeated values among the weights: traces of how they were made."""
    count = 0
    for name, value in network.state_dict().items():
        flat = value.flatten()
        count += int((flat == 0).sum()) * (name != "b_output")
        count += int(((flat != 0) & (flat.abs() < 1.2e-38)).sum())
        count += len(flat) - len(flat.unique())
    return count


def pair_order(labels: Tensor) -> float:
    """|Rank correlation| of the number of a pair with whether its output should change."""
    return abs(float(spearmanr(range(len(labels)), labels.long()).statistic))
