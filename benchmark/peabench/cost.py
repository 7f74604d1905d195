"""What a scorer spends: example-passes counted by the network itself, wall seconds, peak memory."""

import ctypes
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peabench.errors import PeabenchError

PROC = Path("/proc")
"""What Linux tells of processes; other systems have none."""
SAMPLE_SECONDS = 0.01
ROUNDING = 1e-6
"""Share of a budget by which shares of passes may add up to more than whole ones."""


class BudgetExceeded(PeabenchError):
    """A scorer ran more example-passes than its question allows."""


class UnshownInput(PeabenchError):
    """A scorer ran a network on inputs that its question does not show, where it may learn from these alone."""


@dataclass
class Budget:
    """Example-passes, forward and backward, that the networks of one question may run together.

    >>> budget = Budget(100)
    >>> budget.spend(60)
    >>> budget.spend(60)
    Traceback (most recent call last):
    peabench.cost.BudgetExceeded: Expected at most 100 example-passes, got 120; plan by question.budget.
    """

    allowed: float
    spent: float = 0.0

    def spend(self, example_passes: float) -> None:
        """Take passes from it.

        Raises:
            BudgetExceeded: there are not as many left.
        """
        self.spent += example_passes
        self.check()

    def check(self) -> None:
        """Refuse what was spent if it is too much.

        Raises:
            BudgetExceeded: it is.
        """
        if self.spent > self.allowed * (1 + ROUNDING):
            raise BudgetExceeded(
                f"Expected at most {self.allowed:g} example-passes, got {self.spent:g}; plan by question.budget."
            )


@dataclass
class Meter:
    """Counts forward and backward example-passes: one is one example through the whole network once.

    The network adds to its own meter, a part of a pass as its share of the whole; the harness resets the meter before a
    scorer runs and reads it after, so that the count does not depend on the machine.

    >>> meter = Meter()
    >>> meter.count_forward(64)
    >>> meter.count_backward(0.5)
    >>> meter
    Meter(forward=64.0, backward=0.5)
    """

    forward: float = 0.0
    backward: float = 0.0
    budget: Budget | None = field(default=None, repr=False)
    """That all passes are taken from, where a question has one; several networks may share it."""
    inputs: Any = field(default=None, repr=False)
    """The only ones that may be run, [row, column], where a question allows no others."""

    def count_forward(self, example_passes: float) -> None:
        """Add example-passes run forward."""
        self.forward += example_passes
        if self.budget is not None:
            self.budget.spend(example_passes)

    def count_backward(self, example_passes: float) -> None:
        """Add example-passes run backward."""
        self.backward += example_passes
        if self.budget is not None:
            self.budget.spend(example_passes)

    def __deepcopy__(self, memo: object) -> "Meter":
        """The meter itself: a copy of a network is still metered, or its passes would be free."""
        return self

    def __copy__(self) -> "Meter":
        """The meter itself."""
        return self

    def reset(self) -> None:
        """Start again from 0."""
        self.forward = self.backward = 0.0


@dataclass
class Usage:
    """Wall seconds and peak resident memory of a stretch of code, filled in when it ends."""

    wall_seconds: float = 0.0
    peak_memory_bytes: int = 0
    """The most resident memory of the process above what it held at the start."""


def resident_bytes(process: int | None = None) -> int:
    """Resident memory of this process, or of another; without `/proc`, the most that this one ever held.

    Raises:
        OSError: there is no such process.
    """
    if PROC.exists():
        fields = (PROC / str(process or "self") / "statm").read_text().split()
        return int(fields[1]) * resource.getpagesize()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure the block: wall seconds, and its peak of resident memory.

    What the process has freed is given back to the system first: else a block that takes no more than earlier ones
    left would seem to take nothing. On Linux the kernel keeps the peak, which sees torch's memory too, where tracing of
    Python's allocator would not; elsewhere a thread samples every 10 ms, and a shorter peak can escape it. Accelerator
    memory is not counted.
    """
    usage = Usage()
    give_back_freed_memory()
    start_bytes = _restarted_peak()
    watch = _kernels_peak if start_bytes is not None else _sampled_peak
    with watch(start_bytes or resident_bytes(), usage):
        started = time.perf_counter()
        try:
            yield usage
        finally:
            usage.wall_seconds = time.perf_counter() - started


def give_back_freed_memory() -> None:
    """Return what the C library keeps of freed memory to the system, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _restarted_peak() -> int | None:
    """Have the kernel keep the peak from now on; the resident memory now, or None where it cannot be asked to."""
    try:
        (PROC / "self" / "clear_refs").write_text("5")
        return _peak_bytes()
    except (OSError, ValueError):
        return None


def _peak_bytes() -> int:
    for line in (PROC / "self" / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise ValueError("the kernel tells no peak")


@contextmanager
def _kernels_peak(start_bytes: int, usage: Usage) -> Iterator[None]:
    try:
        yield
    finally:
        usage.peak_memory_bytes = max(0, _peak_bytes() - start_bytes)


@contextmanager
def _sampled_peak(start_bytes: int, usage: Usage) -> Iterator[None]:
    peak_bytes = start_bytes
    ended = threading.Event()

    def sample() -> None:
        nonlocal peak_bytes
        while not ended.wait(SAMPLE_SECONDS):
            peak_bytes = max(peak_bytes, resident_bytes())

    sampler = threading.Thread(target=sample, name="peabench-memory", daemon=True)
    sampler.start()
    try:
        yield
    finally:
        ended.set()
        sampler.join()
        usage.peak_memory_bytes = max(peak_bytes, resident_bytes()) - start_bytes
