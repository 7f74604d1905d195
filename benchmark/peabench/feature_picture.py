"""The geometry of a site's features as a picture of plain characters: cosines between directions, and firing rates."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.feature_geometry import MOST_DRAWN, SiteGeometry, feature_geometry
from peabench.mechanism import Mechanism

INK = " .:-=+*#%@"
"""From a cosine of 0 to one of 1, whatever its sign."""
LONGEST_NAME = 16
BINS = 10
LONGEST_BAR = 40


def feature_picture(mechanism: Mechanism, domain: ProductDomain) -> list[str]:
    """Lines that show the features of each site, decoys after the others: none where no feature is claimed.

    Of more than 40 features those that fire most are drawn, and the cosines of all pairs as a histogram.
    """
    lines: list[str] = []
    for geometry in feature_geometry(mechanism, domain):
        lines += [*([""] if lines else []), *_site_lines(geometry)]
    return lines


def percent(share: float) -> str:
    """A share in three digits.

    >>> percent(0.0123456)
    '1.23%'
    """
    return f"{100 * share:.3g}%"


def _site_lines(geometry: SiteGeometry) -> list[str]:
    names, rates = geometry.names, geometry.rates.tolist()
    beside = f" and {len(names) - geometry.used} that are not graded" if geometry.used < len(names) else ""
    lines = [
        f"{geometry.used} features{beside} in {geometry.d_model} dimensions at {geometry.site}",
        f"each fires (does what it does rarely) on {percent(min(rates))} to {percent(max(rates))} of the inputs",
    ]
    shown = geometry.shown
    if len(names) > len(shown):
        lines += [
            "",
            "cosines of all pairs, signs left out",
            *_histogram(geometry.pairs),
            "",
            f"the {MOST_DRAWN} most frequent:",
        ]
    lines += ["", f"cosines, signs left out, from 0 to 1: [{INK}]; how often each fires", ""]
    for i in shown:
        cells = "".join(INK[min(int(geometry.cosines[i, j] * len(INK)), len(INK) - 1)] for j in shown)
        lines.append(f"{names[i][:LONGEST_NAME]:<{LONGEST_NAME}} |{cells}| {percent(rates[i])}")
    return lines + _groups(geometry)


def _groups(geometry: SiteGeometry) -> list[str]:
    """Subspaces and parents with their children, a line each."""
    lines = [f"one feature of {len(names)} dimensions: {', '.join(names)}" for names in geometry.subspaces]
    lines += [f"{parent} fires wherever one of these does: {', '.join(of)}" for parent, of in geometry.children.items()]
    return ["", *lines] if lines else []


def _histogram(cosines: Float[Tensor, " pair"]) -> list[str]:
    counts = torch.histc(cosines, BINS, 0, 1)
    width = LONGEST_BAR / max(float(counts.max()), 1)
    return [
        f"{i / BINS:.1f} to {(i + 1) / BINS:.1f} {'#' * round(float(count) * width):<{LONGEST_BAR}} {int(count):,}"
        for i, count in enumerate(counts)
    ]
