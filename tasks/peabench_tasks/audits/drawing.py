"""What is drawn for each network of an audit by itself, so that it tells nothing."""

import torch


def log_uniform(least: float, most: float, generator: torch.Generator) -> float:
    """A number between two others, drawn uniformly on a logarithmic scale."""
    at = float(torch.rand((), generator=generator))
    return least * float((most / least) ** at)
