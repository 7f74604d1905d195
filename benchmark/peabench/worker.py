"""The process that cells run in, one after another: `python -m peabench.worker DESCRIPTOR`.

`peabench.supervision` starts it, sends it cells, and kills it where a cell breaks a limit.
"""

import fcntl
import os
import pickle
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

READY = b"ready"
NUMBER_BYTES = 8
"""Of a request, which its answer begins with."""


def serve(connection: "Connection[bytes, bytes]") -> None:
    """Answer each request, a number and a pickled `(cell, timeout)`, with that number and the cell's outcome as bytes,
    until the other end is closed.

    A copy of this process that a scorer forked ends here, where the scorer lets it return: it answers nothing.
    """
    import peabench.tasks
    import peabench.tracks  # noqa: F401 - before the clock of the first cell runs
    from peabench.cells import run_cell

    process = os.getpid()
    connection.send_bytes(READY)
    while True:
        try:
            request = connection.recv_bytes()
        except EOFError:
            return
        number, content = request[:NUMBER_BYTES], request[NUMBER_BYTES:]
        cell, timeout = pickle.loads(content)  # noqa: S301 - from the process that started this one
        outcome = run_cell(cell, timeout)
        if os.getpid() != process:
            os._exit(0)
        connection.send_bytes(number + outcome.to_bytes())


def end_with_supervisor() -> None:
    """Have the kernel end this process and all that it started when the supervisor is gone, even by `kill -9`.

    Standard input is a pipe whose other end the supervisor holds and never writes to: when it closes, the kernel sends
    SIGIO, whose default is to end a process, also one in the middle of native code. Elsewhere than on Linux the
    default is to ignore it, and the process ends after its cell.
    """
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with suppress(OSError):  # not every system can for pipes
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def offer_to_the_kernel() -> None:
    """Where memory runs out, the kernel is to kill this process rather than the run."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    end_with_supervisor()
    offer_to_the_kernel()
    serve(Connection(int(sys.argv[1])))
