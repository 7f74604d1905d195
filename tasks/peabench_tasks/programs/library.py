"""The sequence programs: what each computes, step by step. Column 0 is the same in every input."""

import torch

from peabench.mechanism import Boolean, Range
from peabench_tasks.planting.program import Program, Writer, simplex
from peabench_tasks.programs.notation import (
    all_of,
    any_of,
    at,
    compare,
    first_of,
    ref,
    seen_from,
)


def duplicates(length: int, vocabulary: int) -> Program:
    """The first token that occurs a second time, or none."""
    write = Writer("duplicates", (1, *[vocabulary] * (length - 1)))
    seen = write.read("repeated", q="tokens", k="tokens")
    repeats = [
        all_of([compare(ref(seen["q"]), "eq", at(ref(seen["k"]), j)), seen_from(length, j, itself=False)])
        for j in range(1, length - 1)
    ]
    write.step("repeated", "head", Boolean(length=length), any_of(repeats), simplex(2))
    seen = write.read("first", k="repeated", v="tokens")
    token = first_of(ref(seen["k"]), ref(seen["v"]), range(1, length), vocabulary)
    write.step("first", "head", Range(low=0, high=vocabulary), token, simplex(vocabulary + 1))
    return write.finish()
