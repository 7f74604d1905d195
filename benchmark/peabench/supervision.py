"""Running cells in processes that are watched from outside: whatever a cell does, its supervisor lives on.

The workers of every pool, on this machine or on a cluster, call `supervised`. Each keeps two processes, one that makes
questions and grades answers and one in which scorers answer (`peabench.worker`). It needs no torch: only they do.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import Pipe
from pathlib import Path
from typing import Literal

from pydantic import ByteSize

from peabench.cost import SAMPLE_SECONDS, resident_bytes
from peabench.worker import NUMBER_BYTES, OUTCOME

Role = Literal["examiner", "scorer"]

GRACE_SECONDS = 5.0
"""After its time limit a cell has this long to stop by itself, which shows where it was; then its process is killed."""

LEADER_SECONDS = 0.5

TRANSFER_SECONDS = 60.0
LARGEST_MESSAGE = 2**28
"""Bytes that a process may send at once: answers of 64 MiB, and what came of asking for them."""


@dataclass(frozen=True)
class Limits:
    """What a cell may take; None where there is no limit."""

    seconds: float | None = None
    memory_bytes: int | None = None
    """Resident memory of its process, Python and torch included."""


@dataclass(frozen=True)
class Reply:
    """What became of a cell."""

    number: int
    """Which of the cells, by its sender's count."""
    result: bytes | None
    """What its process sent."""
    reason: str
    """Why there is no result."""
    wall_seconds: float
    """All of it: the start of a process where there was none, loading, answering, grading."""


class ProcessEnded(Exception):
    """The process of a cell died or was killed; the text is the reason."""


class TimeOver(ProcessEnded):
    """The process of a cell was killed because the cell's time was over."""


class CellProcess:
    """A process that serves cells one after another, in a session of its own so that what it starts dies with it."""

    def __init__(self, role: Role) -> None:
        self.used = False
        """Whether it has run a cell already."""
        self._ready = False
        self._asked = 0
        self._connection, theirs = Pipe()
        path = os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "peabench.worker", role, str(theirs.fileno())],
            stdin=subprocess.PIPE,
            stdout=2,  # standard output belongs to results: what native code prints goes to standard error
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        theirs.close()

    def ask(self, request: bytes, limits: Limits) -> bytes:
        """The process's answer to one cell.

        Raises:
            ProcessEnded: it died, or broke a limit and was killed.
        """
        try:
            if not self._ready:
                self._receive(limits.memory_bytes, None)
                self._ready = True
            self._asked += 1
            number = self._asked.to_bytes(NUMBER_BYTES)
            self._connection.send_bytes(number + request)
            answer = self._receive(limits.memory_bytes, limits.seconds)
        except (EOFError, OSError) as error:
            raise ProcessEnded(self._death()) from error
        if not answer.startswith(number):  # of a cell before, whose scorer wrote where it should not
            raise ProcessEnded("Its process gave something that is no answer to what it was asked.")
        self.used = True
        return answer[NUMBER_BYTES:]

    def end(self) -> None:
        """Kill the process and what it started."""
        self._kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._connection.close()

    def _receive(self, memory_bytes: int | None, seconds: float | None) -> bytes:
        started = time.monotonic()
        while not self._connection.poll(SAMPLE_SECONDS):
            if self._process.poll() is not None:
                raise EOFError
            if memory_bytes and resident_bytes(self._process.pid) > memory_bytes:
                size = ByteSize(memory_bytes).human_readable()
                raise ProcessEnded(f"The cell's process held more than its {size}; raise --memory to give it more.")
            if seconds and time.monotonic() - started > seconds + GRACE_SECONDS:
                raise TimeOver(
                    f"The cell took more than its {seconds:g} s and was killed, as it did not stop by itself; "
                    "raise --timeout to give it more."
                )
        # What has begun to come must come whole, and is no larger than answers may be.
        deadline = threading.Timer(TRANSFER_SECONDS, self._kill)
        deadline.start()
        try:
            return self._connection.recv_bytes(LARGEST_MESSAGE)
        finally:
            deadline.cancel()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _death(self) -> str:
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return "Its process closed the connection to the run."
        if code == -signal.SIGKILL:
            return "Its process was killed (SIGKILL), as the system does where memory runs out."
        if code < 0:
            return f"Its process died of signal {-code} ({signal.strsignal(-code)}): a crash in native code."
        return f"Its process ended itself with exit code {code}."


IDLE: defaultdict[Role, deque[CellProcess]] = defaultdict(deque)
"""Processes that wait for a cell. A worker has one of each role, or one per thread that calls `supervised`."""


def supervised(number: int, cell: bytes, limits: Limits, leader: int | None = None) -> Reply:
    """Run one cell: have its questions made, its scorer asked and its answers graded.

    Args:
        number: comes back in the reply.
        cell: pickled, so that this process need not import what cells are made of.
        limits: beyond which the processes are killed. Grading has none: no scorer's code runs there.
        leader: process id of the run, without which this worker is to end; None where its pool sees to that.
    """
    if leader is not None and leader != os.getpid():
        end_with(leader)
    started = time.perf_counter()

    def reply(result: bytes | None, reason: str = "") -> Reply:
        return Reply(number, result, reason, time.perf_counter() - started)

    try:
        questions = _asked("examiner", _request(cell, limits, None), limits)
        if questions.startswith(OUTCOME):  # a reference, or a cell that cannot be run
            return reply(questions[1:])
        answers = _asked("scorer", questions[1:], limits)
        return reply(_asked("examiner", _request(cell, limits, answers), Limits())[1:])
    except ProcessEnded as ended:
        return reply(None, str(ended))


def _request(cell: bytes, limits: Limits, answers: bytes | None) -> bytes:
    return pickle.dumps((cell, limits.seconds, answers))


def _asked(role: Role, request: bytes, limits: Limits) -> bytes:
    """What a process of a role replies; it is kept for the next cell.

    Where it dies, the request is made once more of a fresh one if others were made of it before: what they left behind,
    such as memory, may be to blame.
    """
    while True:
        process = IDLE[role].pop() if IDLE[role] else CellProcess(role)
        used = process.used
        try:
            result = process.ask(request, limits)
        except ProcessEnded as ended:
            process.end()
            if not used or isinstance(ended, TimeOver):
                raise
        except BaseException:
            process.end()
            raise
        else:
            IDLE[role].append(process)
            return result


@cache
def end_with(leader: int) -> None:
    """End this process when its parent, the run, is no more."""

    def watch() -> None:
        while os.getppid() == leader:
            time.sleep(LEADER_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="peabench-leader", daemon=True).start()
