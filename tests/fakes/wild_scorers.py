"""Scorers for the tests of pools, run as a file: some answer, the others do what the harness must survive."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from peabench import Scorer
from peabench.tracks.circuits import CircuitAnswer


class Steady(Scorer[Any, CircuitAnswer]):
    name = "steady"
    track = "circuits"
    reference = "a test"

    def score(self, question: Any) -> CircuitAnswer:
        return CircuitAnswer(torch.rand(len(question.edges), generator=question.generator))


class Talkative(Steady):
    """Prints, writes to standard output as native code would, and takes a while."""

    name = "talkative"

    def score(self, question: Any) -> CircuitAnswer:
        sys.stdout.write("a word\n")
        os.write(1, b"a native word\n")
        ctypes.CDLL(None).puts(b"a word in a buffer")
        time.sleep(0.3)
        return super().score(question)


class Exiting(Steady):
    name = "exiting"

    def score(self, question: Any) -> CircuitAnswer:
        os._exit(9)


class Crashing(Steady):
    name = "crashing"

    def score(self, question: Any) -> CircuitAnswer:
        os.kill(os.getpid(), signal.SIGSEGV)
        return super().score(question)


class Hungry(Steady):
    """Takes 2 GiB, and starts a process that outlives it unless it is killed too."""

    name = "hungry"

    def score(self, question: Any) -> CircuitAnswer:
        subprocess.Popen(["sleep", "600"])
        torch.ones(2**29)
        return super().score(question)


class Endless(Steady):
    """One call into native code that never ends and lets no other thread run."""

    name = "endless"

    def score(self, question: Any) -> CircuitAnswer:
        sum(range(10**12))
        return super().score(question)


class Hoarding(Steady):
    """Leaves 300 MiB behind in every cell, in the process that it ran in."""

    name = "hoarding"
    hoard: list[torch.Tensor] = []  # noqa: RUF012 - shared by the cells of a process is what it is to be

    def score(self, question: Any) -> CircuitAnswer:
        Hoarding.hoard.append(torch.ones(75 * 2**20))
        return super().score(question)


class Murderous(Steady):
    """Kills the worker that watches it, the first time; a file beside this one tells."""

    name = "murderous"

    def score(self, question: Any) -> CircuitAnswer:
        file = Path(__file__).with_name("killed")
        if not file.exists():
            file.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return super().score(question)
