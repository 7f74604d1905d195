"""The sequence programs: what each computes, step by step. Column 0 is the same in every input.

Some have an *exception*: rows whose first four tokens are 0 have an answer of their own. They are rare, and so are the
inputs on which the nodes that see to them decide.
"""

import torch

from peabench.mechanism import Add, Boolean, Expression, Modulo, Range
from peabench_tasks.planting.program import Part, Program, Writer, graded, saturating, simplex
from peabench_tasks.programs.notation import (
    Relation,
    added,
    all_of,
    any_of,
    at,
    compare,
    const,
    either,
    first_of,
    majority,
    minus,
    negated,
    ref,
    seen_from,
    total,
    xor,
)

LESS_AND_MORE: tuple[Relation, Relation] = ("lt", "gt")


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


def reverse(length: int, vocabulary: int) -> Program:
    """The token that mirrors the position to which the last token points."""
    pointed = length - 2
    write = Writer("reverse", (1, *[vocabulary] * pointed, pointed))
    seen = write.read("mirrored", mlp="tokens")
    index = minus(pointed, Modulo(argument=at(ref(seen["mlp"]), length - 1), modulus=pointed))
    write.step("mirrored", "mlp", Range(low=1, high=pointed), index, simplex(pointed))
    seen = write.read("mover", q="mirrored", v="tokens")
    token = at(ref(seen["v"]), ref(seen["q"]))
    write.step(
        "mover", "head", Range(low=0, high=max(vocabulary, pointed) - 1), token, simplex(max(vocabulary, pointed))
    )
    return write.finish()


def pattern(length: int, vocabulary: int) -> Program:
    """Whether token 0 is anywhere followed by token 1; an exception to the rule has an answer of its own."""
    write = Writer("pattern", (1, *[vocabulary] * (length - 1)))
    seen = write.read("previous", v="tokens")
    shifted = at(ref(seen["v"]), const([max(p - 1, 0) for p in range(length)]))
    write.step("previous", "head", Boolean(length=length), compare(shifted, "eq", 0), simplex(2))
    seen = write.read("match", mlp="previous+tokens")
    both = [
        ref(seen["mlp.previous"]),
        compare(ref(seen["mlp.tokens"]), "eq", 1),
        const([p > 1 for p in range(length)]),
    ]
    write.step("match", "mlp", Boolean(length=length), all_of(both), simplex(2))
    seen = write.read("found", k="match")
    anywhere = any_of([at(ref(seen["k"]), p) for p in range(2, length)])
    write.step("found", "head", Boolean(), anywhere, simplex(2))
    _exception(write)
    seen = write.read("answer", mlp="found+alarm")
    _answer(write, either(ref(seen["mlp.found"]), 1, 0), 2, ref(seen["mlp.alarm"]))
    return write.finish()


def pair_balance(length: int, vocabulary: int) -> Program:
    """Whether there are fewer, as many, or more of token 0 than of token 1."""
    write = Writer("pair_balance", (1, *[vocabulary] * (length - 1)))
    for name, token in (("opened", 0), ("closed", 1)):
        _count(write, name, token, length)
    seen = write.read("balance", mlp="opened+closed")
    more, less = (
        compare(ref(seen["mlp.opened"]), relation, ref(seen["mlp.closed"])) for relation in LESS_AND_MORE[::-1]
    )
    write.step("balance", "mlp", Range(low=0, high=2), either(less, 0, either(more, 2, 1)), simplex(3))
    return write.finish()


def dyck(length: int, vocabulary: int) -> Program:
    """Whether the brackets close without closing too early: 0 opens, 1 closes, others are none; with an exception."""
    return _dyck("dyck", length, vocabulary, copies=1)


def _dyck(name: str, length: int, vocabulary: int, copies: int) -> Program:
    write = Writer(name, (1, *[vocabulary] * (length - 1)))
    seen = write.read("depth", v="tokens")
    terms = [
        either(
            all_of([compare(at(ref(seen["v"]), j), "lt", 2), seen_from(length, j)]),
            either(compare(at(ref(seen["v"]), j), "eq", 0), 1, -1),
            0,
        )
        for j in range(1, length)
    ]
    reach = length - 1
    share = torch.arange(-reach, reach + 1)[None] * (3.0 / torch.arange(1, length + 1)[:, None])
    write.step("depth", "head", Range(low=-reach, high=reach, length=length), added(terms), share[..., None])
    seen = write.read("early", mlp="depth")
    write.step("early", "mlp", Boolean(length=length), compare(ref(seen["mlp"]), "lt", 0), simplex(2))
    told = ["any_early"] if copies == 1 else [f"any_early{i}" for i in range(copies)]
    for copy in told:
        seen = write.read(copy, k="early")
        anywhere = any_of([at(ref(seen["k"]), p) for p in range(1, length)])
        write.step(copy, "head", Boolean(), anywhere, simplex(2))
    _exception(write)
    seen = write.read("answer", mlp="+".join(["depth", *told, "alarm"]))
    level = compare(at(ref(seen["mlp.depth"]), length - 1), "eq", 0)
    never = negated(majority([ref(seen[f"mlp.{copy}"]) for copy in told]))
    _answer(write, either(all_of([level, never]), 1, 0), 2, ref(seen["mlp.alarm"]))
    return write.finish(copies=told if copies > 1 else ())


def histogram(length: int, vocabulary: int) -> Program:
    """How often the last token occurs, once, twice or more often; with an exception."""
    write = Writer("histogram", (1, *[vocabulary] * (length - 1)))
    seen = write.read("count", q="tokens", k="tokens")
    query = at(ref(seen["q"]), length - 1)
    count = total([compare(query, "eq", at(ref(seen["k"]), j)) for j in range(1, length)])
    write.step("count", "head", Range(low=0, high=length - 1), count, saturating(length - 1))
    _exception(write)
    seen = write.read("answer", mlp="count+alarm")
    count = ref(seen["mlp.count"])
    few = either(compare(count, "le", 1), 0, either(compare(count, "eq", 2), 1, 2))
    _answer(write, few, 3, ref(seen["mlp.alarm"]))
    return write.finish()


def fraction(length: int, vocabulary: int) -> Program:
    """Whether the share of token 0 before the last is less than the last one's, as much or more; with an exception."""
    places = range(1, length - 1)
    write = Writer("fraction", (1, *[vocabulary] * len(places), len(places)))
    seen = write.read("share", v="tokens")
    count = total([compare(at(ref(seen["v"]), p), "eq", 0) for p in places])
    write.step("share", "head", Range(low=0, high=len(places)), count, graded(torch.arange(length - 1)[None]))
    _exception(write)
    seen = write.read("answer", mlp="share+tokens+alarm")
    asked = at(ref(seen["mlp.tokens"]), length - 1)
    less, more = (compare(ref(seen["mlp.share"]), relation, asked) for relation in LESS_AND_MORE)
    _answer(write, either(less, 0, either(more, 2, 1)), 3, ref(seen["mlp.alarm"]))
    return write.finish()


def sort(length: int, vocabulary: int) -> Program:
    """The token at the place of the sorted row to which the last token points; with an exception."""
    sorted_ = range(1, length - 1)
    write = Writer("sort", (1, *[vocabulary] * len(sorted_), len(sorted_)))
    below = [f"below{token}" for token in range(1, vocabulary)]
    for token, name in enumerate(below, 1):
        seen = write.read(name, v="tokens")
        count = total([compare(at(ref(seen["v"]), p), "lt", token) for p in sorted_])
        write.step(name, "head", Range(low=0, high=len(sorted_)), count, graded(torch.arange(length - 1)[None]))
    passed = [f"passed{token}" for token in range(1, vocabulary)]
    for count_of, name in zip(below, passed, strict=True):
        seen = write.read(name, mlp=f"{count_of}+tokens")
        place = at(ref(seen["mlp.tokens"]), length - 1)
        write.step(name, "mlp", Boolean(), compare(ref(seen[f"mlp.{count_of}"]), "le", place), simplex(2))
    _exception(write, part="head")
    seen = write.read("answer", mlp="+".join([*passed, "alarm"]))
    _answer(write, total([ref(seen[f"mlp.{name}"]) for name in passed]), vocabulary, ref(seen["mlp.alarm"]))
    return write.finish()


def most_frequent(length: int, vocabulary: int) -> Program:
    """The most frequent token, the smallest of several; the last of the vocabulary is blank and never counts."""
    write = Writer("most_frequent", (1, *[vocabulary] * (length - 1)))
    tokens = range(vocabulary - 1)
    for token in tokens:
        _count(write, f"count{token}", token, length)
    seen = write.read("winner", mlp="+".join(f"count{token}" for token in tokens))
    counts = [ref(seen[f"mlp.count{token}"]) for token in tokens]
    winner: Expression = const(tokens[-1])
    for token in tokens[-2::-1]:
        beats = [compare(counts[token], "ge", counts[other]) for other in tokens if other > token]
        winner = either(all_of(beats), token, winner)
    write.step("winner", "mlp", Range(low=0, high=len(tokens) - 1), winner, simplex(len(tokens)))
    return write.finish()


def selective_copy(length: int, vocabulary: int) -> Program:
    """The n-th token that is not blank (0), counted by the last token; blank where there is none."""
    places = range(1, length - 1)
    write = Writer("selective_copy", (1, *[vocabulary] * len(places), min(3, len(places))))
    seen = write.read("passed", v="tokens")
    terms = [all_of([compare(at(ref(seen["v"]), j), "ne", 0), seen_from(length, j)]) for j in places]
    high = len(places)
    share = torch.arange(high + 1)[None] * (4.0 / torch.arange(1, length + 1)[:, None])
    write.step("passed", "head", Range(low=0, high=high, length=length), total(terms), share[..., None])
    seen = write.read("number", mlp="passed+tokens")
    wanted = min(3, high)
    number: Expression = const(0)
    for place in range(1, wanted + 1):
        number = either(compare(ref(seen["mlp.passed"]), "eq", place), place, number)
    number = either(compare(ref(seen["mlp.tokens"]), "ne", 0), number, 0)
    write.step("number", "mlp", Range(low=0, high=wanted, length=length), number, simplex(wanted + 1))
    seen = write.read("copied", q="tokens", k="number", v="tokens")
    pointer = Add(arguments=(at(ref(seen["q"]), length - 1), const(1)))
    token = first_of(compare(ref(seen["k"]), "eq", pointer), ref(seen["v"]), list(places), 0)
    write.step("copied", "head", Range(low=0, high=vocabulary - 1), token, simplex(vocabulary))
    return write.finish()


def redundant(length: int, vocabulary: int) -> Program:
    """`dyck`, where three heads tell the last position of early closings and the majority of them counts."""
    return _dyck("redundant", length, vocabulary, copies=3)


def cancelling(length: int, vocabulary: int) -> Program:
    """Whether an odd number of tokens 0, 1 and 2 is present; with an exception."""
    write = Writer("cancelling", (1, *[vocabulary] * (length - 1)))
    for token in range(3):
        seen = write.read(f"present{token}", k="tokens")
        anywhere = any_of([compare(at(ref(seen["k"]), p), "eq", token) for p in range(1, length)])
        write.step(f"present{token}", "head", Boolean(), anywhere, simplex(2))
    seen = write.read("partial", mlp="present0+present1")
    write.step("partial", "mlp", Boolean(), xor(ref(seen["mlp.present0"]), ref(seen["mlp.present1"])), simplex(2))
    _exception(write)
    seen = write.read("answer", mlp="partial+present2+alarm")
    odd = xor(ref(seen["mlp.partial"]), ref(seen["mlp.present2"]))
    _answer(write, either(odd, 1, 0), 2, ref(seen["mlp.alarm"]))
    return write.finish()


def rare(length: int, vocabulary: int) -> Program:
    """`pair_balance` with an exception."""
    write = Writer("rare", (1, *[vocabulary] * (length - 1)))
    for name, token in (("opened", 0), ("closed", 1)):
        _count(write, name, token, length)
    _exception(write)
    seen = write.read("answer", mlp="opened+closed+alarm")
    less, more = (compare(ref(seen["mlp.opened"]), relation, ref(seen["mlp.closed"])) for relation in LESS_AND_MORE)
    _answer(write, either(less, 0, either(more, 2, 1)), 3, ref(seen["mlp.alarm"]))
    return write.finish()


def _count(write: Writer, name: str, token: int, length: int) -> None:
    """How often a token occurs."""
    seen = write.read(name, v="tokens")
    count = total([compare(at(ref(seen["v"]), p), "eq", token) for p in range(1, length)])
    write.step(name, "head", Range(low=0, high=length - 1), count, graded(torch.arange(length)[None]))


def _exception(write: Writer, part: Part = "mlp") -> None:
    """`alarm`: whether the first four tokens are 0, as a head for each two of them finds and one more node."""
    groups = {"zeros0": (1, 2), "zeros1": (3, 4)}
    for name, group in groups.items():
        seen = write.read(name, v="tokens")
        zeros = total([compare(at(ref(seen["v"]), p), "eq", 0) for p in group])
        code = graded(torch.arange(len(group) + 1)[None])
        write.step(name, "head", Range(low=0, high=len(group)), zeros, code)
    port = "mlp" if part == "mlp" else "q"
    seen = write.read("alarm", **{port: "+".join(groups)})
    all_zero = [compare(ref(seen[f"{port}.{name}"]), "eq", len(group)) for name, group in groups.items()]
    write.step("alarm", part, Boolean(), all_of(all_zero), simplex(2))


def _answer(write: Writer, rule: Expression, values: int, alarm: Expression) -> None:
    """The step `answer`, whose reads were just declared: by the rule, or one value more where there is alarm."""
    answer = either(alarm, values, rule)
    write.step("answer", "mlp", Range(low=0, high=values), answer, simplex(values + 1))
