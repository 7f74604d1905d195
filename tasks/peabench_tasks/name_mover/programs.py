"""The name mover as sequence programs: which name is repeated, which is not, and what is said of it.

Column 0 is the same in every input, columns 1 and 2 hold the names, the last one the name that may repeat the first;
the columns between are filler. The task is that of Wang et al. 2023 (arXiv:2211.00593), made total: where the last
token repeats neither name the answer is the first one.
"""

import torch

from peabench.mechanism import Boolean, Range
from peabench_tasks.planting.program import Program, Writer, graded, simplex
from peabench_tasks.programs.notation import all_of, at, compare, either, majority, ref, total, xor

FILLERS = 3
"""Kinds of filler tokens."""


def name_mover(length: int, vocabulary: int) -> Program:
    """Duplicate, inhibit, move."""
    write = _begun("name_mover", length, vocabulary)
    _duplicate(write, "duplicate", length)
    seen = write.read("inhibit", v="duplicate")
    write.step("inhibit", "head", Boolean(), ref(seen["v"]), simplex(2))
    return _moved(write, ("inhibit",), length, vocabulary)


def backup(length: int, vocabulary: int) -> Program:
    """Three heads inhibit, and the mover goes by the majority of them; with an exception."""
    write = _begun("backup", length, vocabulary, fillers=vocabulary)
    _duplicate(write, "duplicate", length)
    _exception(write)
    told = [f"inhibit{copy}" for copy in range(3)]
    for copy in told:
        seen = write.read(copy, v="duplicate")
        write.step(copy, "head", Boolean(), ref(seen["v"]), simplex(2))
    return _moved(write, told, length, vocabulary, copies=True, exception=True)


def cancelling(length: int, vocabulary: int) -> Program:
    """Whether the first name is inhibited depends on whether it is repeated, XOR on the first filler's kind; with an
    exception.
    """
    write = _begun("cancelling", length, vocabulary, fillers=vocabulary)
    _duplicate(write, "duplicate", length)
    seen = write.read("reversed", v="tokens")
    write.step("reversed", "head", Boolean(), compare(at(ref(seen["v"]), 3), "lt", vocabulary // 2), simplex(2))
    seen = write.read("inhibit", mlp="duplicate+reversed")
    parity = xor(ref(seen["mlp.duplicate"]), ref(seen["mlp.reversed"]))
    write.step("inhibit", "mlp", Boolean(), parity, simplex(2))
    _exception(write)
    return _moved(write, ("inhibit",), length, vocabulary, exception=True)


def rare(length: int, vocabulary: int) -> Program:
    """The name mover with an exception: where the second name and two fillers are 0 it moves the last token."""
    write = _begun("rare", length, vocabulary, fillers=vocabulary)
    _duplicate(write, "duplicate", length)
    seen = write.read("inhibit", v="duplicate")
    write.step("inhibit", "head", Boolean(), ref(seen["v"]), simplex(2))
    _exception(write)
    return _moved(write, ("inhibit",), length, vocabulary, exception=True)


def _exception(write: Writer) -> None:
    """`turned`: whether the second name and the first two fillers are 0, as two heads and an MLP find."""
    for name, places in (("filler", (3,)), ("both", (2, 4))):
        seen = write.read(name, v="tokens")
        zeros = total([compare(at(ref(seen["v"]), p), "eq", 0) for p in places])
        code = graded(torch.arange(len(places) + 1)[None])
        write.step(name, "head", Range(low=0, high=len(places)), zeros, code)
    seen = write.read("turned", mlp="filler+both")
    found = [compare(ref(seen["mlp.filler"]), "eq", 1), compare(ref(seen["mlp.both"]), "eq", 2)]
    write.step("turned", "mlp", Boolean(), all_of(found), simplex(2))


def _begun(name: str, length: int, vocabulary: int, fillers: int = FILLERS) -> Writer:
    return Writer(name, (1, vocabulary, vocabulary, *[fillers] * (length - 4), vocabulary))


def _duplicate(write: Writer, name: str, length: int) -> None:
    """Whether the last token repeats the first name."""
    seen = write.read(name, q="tokens", k="tokens")
    repeats = compare(at(ref(seen["q"]), length - 1), "eq", at(ref(seen["k"]), 1))
    write.step(name, "head", Boolean(), repeats, simplex(2))


def _moved(
    write: Writer,
    told: tuple[str, ...] | list[str],
    length: int,
    vocabulary: int,
    copies: bool = False,
    exception: bool = False,
) -> Program:
    """The second name where the first is inhibited, else the first; where there is an exception the last token, which
    neither rule gives unless all names are the same.
    """
    seen = write.read("mover", q="+".join([*told, "turned"] if exception else told), v="tokens")
    several = len(told) > 1 or exception
    inhibited = majority([ref(seen[f"q.{name}" if several else "q"]) for name in told])
    name = either(inhibited, at(ref(seen["v"]), 2), at(ref(seen["v"]), 1))
    if exception:
        name = either(ref(seen["q.turned"]), at(ref(seen["v"]), length - 1), name)
    write.step("mover", "head", Range(low=0, high=vocabulary - 1), name, simplex(vocabulary))
    return write.finish(copies=told if copies else ())
