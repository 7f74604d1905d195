"""Comparing two runs of the same cells."""

from collections.abc import Iterable
from typing import Any

from peabench.results import CellResult


def lasting(results: Iterable[CellResult]) -> list[dict[str, Any]]:
    """What two runs of the same cells must agree on: all but times, memory and environment."""
    volatile: Any = {"environment": True, "cost": {"wall_seconds", "peak_memory_bytes"}}
    return sorted((result.model_dump(exclude=volatile) for result in results), key=str)
