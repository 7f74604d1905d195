"""What keeps a cell from its neighbours: seeds, standard output, threads and time."""

import ctypes
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType

import numpy as np
import torch
from threadpoolctl import threadpool_limits


class CellTimeout(BaseException):
    """A cell ran out of time. No `Exception`, so that a scorer that catches those does not swallow it."""


def seed_global_generators(seed: int) -> None:
    """For methods whose libraries draw from global state."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the legacy generator is the global one
    torch.manual_seed(seed)


@contextmanager
def quiet() -> Iterator[None]:
    """Standard output belongs to results: what others print goes to standard error, native code's writes included."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what C code has printed may wait in its buffer
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread in torch and BLAS, so that sums have one order and the cells of a pool do not fight for cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `CellTimeout` in the block after so many seconds; None or 0 for no limit.

    It needs the main thread of a POSIX process and strikes between Python instructions: a single call into native code
    is not cut short by it, but by `peabench.supervision`.
    """
    if not seconds or not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def strike(_number: int, _frame: FrameType | None) -> None:
        raise CellTimeout(f"The cell took more than its {seconds:g} s; raise --timeout to give it more.")

    previous = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
