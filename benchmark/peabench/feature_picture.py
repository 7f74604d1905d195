"""The geometry of a site's features as a picture of plain characters: cosines between directions, and firing rates."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import Mechanism, hierarchy
from peabench.true_features import contributions, exceptions, feature_sites, features_at, is_decoy

INK = " .:-=+*#%@"
"""From a cosine of 0 to one of 1, whatever its sign."""
MOST_DRAWN = 40
LONGEST_NAME = 16
DRAWS = 4096
BINS = 10
LONGEST_BAR = 40


def feature_picture(mechanism: Mechanism, domain: ProductDomain) -> list[str]:
    """Lines that show the features of each site, decoys after the others: none where no feature is claimed.

    Of more than 40 features those that fire most are drawn, and the cosines of all pairs as a histogram.
    """
    lines: list[str] = []
    for site in feature_sites(mechanism):
        lines += [*([""] if lines else []), *_site_lines(mechanism, domain, site)]
    return lines


def _site_lines(mechanism: Mechanism, domain: ProductDomain, site: str) -> list[str]:
    features = features_at(mechanism, site) + features_at(mechanism, site, decoys=True)
    inputs = domain.sample(DRAWS, torch.Generator().manual_seed(0))
    side = contributions(features, mechanism, inputs)
    rates = exceptions(side.activations).double().mean(0)
    unit = torch.nn.functional.normalize(side.directions, dim=1)
    cosines = (unit @ unit.T).abs().clamp(max=1)
    pairs = cosines[torch.ones_like(cosines).triu(1) == 1]
    used = sum(not is_decoy(feature) for feature in features)
    beside = f" and {len(features) - used} that are not graded" if used < len(features) else ""
    lines = [
        f"{used} features{beside} in {unit.shape[1]} dimensions at {site}",
        f"each fires (does what it does rarely) on {_percent(rates.min())} to {_percent(rates.max())} of the inputs",
    ]
    shown = list(range(len(features)))
    if len(features) > MOST_DRAWN:
        shown = sorted(rates.argsort(descending=True)[:MOST_DRAWN].tolist())
        lines += [
            "",
            "cosines of all pairs, signs left out",
            *_histogram(pairs),
            "",
            f"the {MOST_DRAWN} most frequent:",
        ]
    lines += ["", f"cosines, signs left out, from 0 to 1: [{INK}]; how often each fires", ""]
    for i in shown:
        cells = "".join(INK[min(int(cosines[i, j] * len(INK)), len(INK) - 1)] for j in shown)
        lines.append(f"{features[i].name[:LONGEST_NAME]:<{LONGEST_NAME}} |{cells}| {_percent(rates[i])}")
    return lines + _groups(mechanism, site)


def _groups(mechanism: Mechanism, site: str) -> list[str]:
    """Subspaces and parents with their children, a line each."""
    features = features_at(mechanism, site)
    subspaces: dict[str, list[str]] = {}
    for feature in features:
        if feature.subspace is not None:
            subspaces.setdefault(feature.subspace, []).append(feature.name)
    children: dict[str, list[str]] = {}
    for parent, child in hierarchy(features):
        children.setdefault(parent, []).append(child)
    lines = [f"one feature of {len(names)} dimensions: {', '.join(names)}" for names in subspaces.values()]
    lines += [f"{parent} fires wherever one of these does: {', '.join(names)}" for parent, names in children.items()]
    return ["", *lines] if lines else []


def _histogram(cosines: Float[Tensor, " pair"]) -> list[str]:
    counts = torch.histc(cosines, BINS, 0, 1)
    width = LONGEST_BAR / max(float(counts.max()), 1)
    return [
        f"{i / BINS:.1f} to {(i + 1) / BINS:.1f} {'#' * round(float(count) * width):<{LONGEST_BAR}} {int(count):,}"
        for i, count in enumerate(counts)
    ]


def _percent(share: Tensor) -> str:
    return f"{100 * float(share):.3g}%"
