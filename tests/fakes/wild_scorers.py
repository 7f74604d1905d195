"""Scorers for the tests of pools, run as a file: some answer, the others do what the harness must survive."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from peabench import Scorer
from peabench.tracks import circuits
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


class Waiting(Talkative):
    """Does not answer before there is a file that tells it to go on."""

    name = "waiting"

    def score(self, question: Any) -> CircuitAnswer:
        folder = Path(os.environ["WILD_RUN"])
        (folder / "begun").touch()
        while not (folder / "go").exists():
            time.sleep(0.05)
        return super().score(question)


class Endless(Steady):
    """One call into native code that never ends and lets no other thread run."""

    name = "endless"

    def score(self, question: Any) -> CircuitAnswer:
        if "WILD_RUN" in os.environ:
            Path(os.environ["WILD_RUN"], "begun").touch()
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


class Spoiling(Steady):
    """Sets what holds for the whole process, and bends the harness's own classes."""

    name = "spoiling"

    def score(self, question: Any) -> CircuitAnswer:
        answer = super().score(question)
        torch.set_default_dtype(torch.float64)
        torch.nn.modules.module.register_module_forward_hook(self._nothing)
        warnings.simplefilter("error")
        os.chdir("/")
        type(circuits.TRACK).grade = lambda *_: {"score": 0.125}  # type: ignore[method-assign]
        return answer

    def _nothing(self, *_: object) -> Any:
        return torch.zeros(1)


class Forking(Steady):
    """Leaves a copy of its process behind that answers too, and comes back to ask for more."""

    name = "forking"

    def score(self, question: Any) -> CircuitAnswer:
        if os.fork() == 0:
            time.sleep(0.2)
        return super().score(question)


class Chattering(Steady):
    """Writes to every file that is open, the connection to the harness among them."""

    name = "chattering"
    told = b"\0\0\0\3one"

    def score(self, question: Any) -> CircuitAnswer:
        for descriptor in range(3, 256):
            with suppress(OSError):
                os.write(descriptor, self.told)
        return super().score(question)


class Closing(Steady):
    """Closes every file that is open."""

    name = "closing"

    def score(self, question: Any) -> CircuitAnswer:
        os.closerange(3, 4096)
        return super().score(question)


class Halting(Chattering):
    """Begins to answer, and stops in the middle."""

    name = "halting"
    told = b"\0\0\1\0one"

    def score(self, question: Any) -> CircuitAnswer:
        super().score(question)
        time.sleep(600)
        return super().score(question)
