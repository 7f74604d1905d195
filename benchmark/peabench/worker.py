"""The processes of a cell, each kept for the next one: `python -m peabench.worker examiner DESCRIPTOR`.

The *examiner* makes the questions of a cell and grades the answers: it holds the truth, and runs no scorer. In the
other, *scorer*, a scorer answers: it is told the questions, and never holds the truth. `peabench.supervision` starts
both, carries what they say from one to the other, and kills them where a cell breaks a limit.
"""

import fcntl
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

READY = b"ready"
QUESTIONS, OUTCOME = b"?", b"!"
"""What an examiner's message begins with: questions for a scorer, or the outcome of the cell."""
NUMBER_BYTES = 8
"""Of a request, which its reply begins with."""


def serve(connection: "Connection[bytes, bytes]", reply: Callable[[bytes], bytes]) -> None:
    """Reply to each request, which begins with a number, with that number and the reply, until the other end is closed.

    A copy of this process that a scorer forked ends here, where the scorer lets it return: it replies nothing.
    """
    process = os.getpid()
    connection.send_bytes(READY)
    while True:
        try:
            request = connection.recv_bytes()
        except EOFError:
            return
        number, content = request[:NUMBER_BYTES], request[NUMBER_BYTES:]
        found = reply(content)
        if os.getpid() != process:
            os._exit(0)
        connection.send_bytes(number + found)


def examiner() -> Callable[[bytes], bytes]:
    """What replies to a pickled `(pickled cell, timeout, answers)`: with questions, or with the outcome.

    The answers are bytes that came from the scorer's process, None where it was not asked yet. They are read as data:
    nothing that a scorer's process has sent is unpickled.
    """
    import peabench.tasks
    import peabench.tracks  # noqa: F401 - before the clock of the first cell runs
    from peabench.answering import Answered
    from peabench.cells import Cell, Examination, Outcome, failure, is_reference, outcome

    kept = lru_cache(maxsize=1)(Examination)

    def outcome_of(cell: Cell, examination: Examination, answers: bytes) -> Outcome:
        try:
            given = Answered.from_bytes(answers)
        except ValueError:
            return Outcome(outcome(cell, "failed", reason="Its process gave something that is no answer."))
        return examination.outcome(given)

    def reply(request: bytes) -> bytes:
        packed, timeout, answers = pickle.loads(request)  # noqa: S301 - from the process that started this one
        cell = pickle.loads(packed)  # noqa: S301 - from the run
        try:
            examination = kept(cell)
        except Exception as error:
            return OUTCOME + failure(cell, error).to_bytes()
        if is_reference(cell):
            return OUTCOME + examination.outcome(examination.referred(timeout)).to_bytes()
        if answers is None:
            return QUESTIONS + pickle.dumps((examination.asked(), timeout))
        return OUTCOME + outcome_of(cell, examination, answers).to_bytes()

    return reply


def scorer() -> Callable[[bytes], bytes]:
    """What replies to the pickled questions of an examiner with answers, as data."""
    import peabench.tasks
    import peabench.tracks  # noqa: F401 - before the clock of the first cell runs
    from peabench.answering import answered

    def reply(request: bytes) -> bytes:
        asked, timeout = pickle.loads(request)  # noqa: S301 - made by an examiner, which runs no scorer
        return answered(asked, timeout).to_bytes()

    return reply


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
    serve(Connection(int(sys.argv[2])), {"examiner": examiner, "scorer": scorer}[sys.argv[1]]())
