"""Timing of ours against a peer in one process: results must agree first, then runs alternate and medians are taken."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

AGREE = 1e-4
"""Largest difference, as a share of the results' scale: peers compute in other orders of addition."""

QUICK_SECONDS = 5.0


class Comparison:
    """Rows of one peer, written to the JSON file that is the script's first argument.

    `--quick` repeats a row only while it has taken less than five seconds.
    """

    def __init__(self, peer: str, *packages: str) -> None:
        torch.set_num_threads(int(os.environ.get("PEABENCH_BENCHMARK_THREADS", "2")))
        self.peer = peer + " " + version(packages[0])
        self.versions = {name: version(name) for name in (*packages, "torch")} | {"python": platform.python_version()}
        self.rows: list[dict[str, object]] = []

    def row(
        self,
        name: str,
        ours: Callable[[], Tensor],
        theirs: Callable[[], Tensor],
        repeats: int = 5,
        check: Callable[[], tuple[Tensor, Tensor]] | None = None,
        times: int = 1,
    ) -> None:
        """Check that both give the same numbers, then time them in turn; the peer has to run `times` times."""
        one, other = check() if check else (ours(), theirs())
        one, other = one.detach().flatten().double(), other.detach().flatten().double()
        difference = float((one - other).abs().max() / other.abs().max())
        if one.shape != other.shape or not difference < AGREE:
            raise SystemExit(
                f"{self.peer}, {name}: results differ by {difference:.2g} of their scale; nothing is timed"
            )
        started = time.perf_counter()
        seconds = [_alternate(ours, theirs)]
        while len(seconds) < repeats and ("--quick" not in sys.argv or time.perf_counter() - started < QUICK_SECONDS):
            seconds.append(_alternate(ours, theirs))
        ours_seconds = statistics.median(s for ours_, _ in seconds for s in ours_)
        theirs_seconds = times * statistics.median(s for _, s in seconds)
        ratio = statistics.median(times * theirs / statistics.median(ours_) for ours_, theirs in seconds)
        sys.stderr.write(f"{self.peer}: {name}: {theirs_seconds:.3g} s / {ours_seconds:.3g} s = {ratio:.1f}\n")
        self.rows.append(
            {
                "row": name,
                "peer": self.peer,
                "ours_seconds": ours_seconds,
                "peer_seconds": theirs_seconds,
                "ratio": ratio,
                "difference": difference,
                "repeats": len(seconds),
            }
        )
        Path(sys.argv[1]).write_text(json.dumps({"versions": self.versions, "rows": self.rows}, indent=1))


def _alternate(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> tuple[list[float], float]:
    """Three runs of ours around one of the peer's, so that both see the same state of the machine."""
    first = _seconds(ours)
    middle = _seconds(theirs)
    return [first, _seconds(ours), _seconds(ours)], middle


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
