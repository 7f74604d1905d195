"""Archives that were never meant: each is graded or refused in one sentence, and does nothing else.

The number of each kind is small here. `PEABENCH_FUZZ=50 pytest tests/leaderboard/submissions/test_fuzz.py` runs fifty
times as many.
"""

import json
import os
import random
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.leaderboard.submissions.conftest import TASK, Small
from tests.leaderboard.submissions.test_archive import ANSWERS, members_of

from peabench.errors import PeabenchError
from peabench.plain import Answer
from peabench.results import answer_hash
from peabench_leaderboard.submissions.archive import DOCUMENT, archive_of, read_archive
from peabench_leaderboard.submissions.container import DIRECTORY, END, LOCAL, write_container
from peabench_leaderboard.submissions.judging import judge
from peabench_leaderboard.submissions.submission import Submission

TIMES = int(os.environ.get("PEABENCH_FUZZ", "1"))
SLOWEST_SECONDS = 5.0
GRADED = "graded: "
UNHURRIED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


def survives(small: Small, folder: Path, content: bytes) -> str:
    """What became of an archive: what its grading gave, or the sentence that it was refused with."""
    path = small.write(folder, content)
    before = sorted(folder.rglob("*"))
    started = time.process_time()
    try:
        found = judge(read_archive(path), small.suite, small.tasks, "verified")
    except PeabenchError as error:
        told = str(error)
        assert told
        assert "\n" not in told
        assert len(told) < 2000
    else:
        told = f"{GRADED}{found.document.text()}"
        assert {result.status for result in found.results} <= {"ok", "declined", "failed"}
    assert time.process_time() - started < SLOWEST_SECONDS
    assert sorted(folder.rglob("*")) == before
    return told


def flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return draw.choice((content[:start], content[start:], content[:start] + content[end:]))


def grown(content: bytes, draw: random.Random) -> bytes:
    start, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    piece = draw.choice((content[start:end], draw.randbytes(draw.randrange(64)), b"\0" * draw.randrange(4096)))
    place = draw.randrange(len(content) + 1)
    return content[:place] + piece + content[place:]


def swapped(content: bytes, draw: random.Random) -> bytes:
    a, b, c = sorted(draw.randrange(len(content) + 1) for _ in range(3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def lying(content: bytes, draw: random.Random) -> bytes:
    """A header with one of its numbers changed to one that is likely to matter."""
    start = END.unpack(content[-END.size :])[6]
    places = {
        DIRECTORY: start,
        END: len(content) - END.size,
        LOCAL: draw.choice((0, content.rindex(b"PK\3\4", 0, start))),
    }
    structure, place = draw.choice(list(places.items()))
    fields = list(structure.unpack(content[place : place + structure.size]))
    field = draw.randrange(1, len(fields))
    fields[field] = draw.choice((0, 1, 2**15, 2**16 - 1, fields[field] + 1, 8, 45))
    for value in (fields[field], fields[field] % 2**16):
        fields[field] = value
        try:
            packed = structure.pack(*fields)
        except struct.error:
            continue
        return content[:place] + packed + content[place + structure.size :]
    return content


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (flipped, cut, grown, swapped, lying)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_mutated_archives_are_refused_or_graded(
    small: Small, small_variables: Small, tmp_path: Path, mutation: Callable[[bytes, random.Random], bytes]
) -> None:
    """What is graded all the same, as with another file mode, is graded as the archive itself."""
    draw = random.Random(mutation.__name__)
    ones = (small, small_variables)
    sound = [survives(one, tmp_path, one.content) for one in ones]
    found = [survives(ones[i % 2], tmp_path, mutation(ones[i % 2].content, draw)) for i in range(300 * TIMES)]
    assert {told for told in found if told.startswith(GRADED)} <= set(sound)
    assert sum(not told.startswith(GRADED) for told in found) > 150 * TIMES


@pytest.mark.parametrize("mutation", MUTATIONS[:4])
def test_mutated_members_in_a_sound_container_are_refused_or_graded(
    small: Small, tmp_path: Path, mutation: Callable[[bytes, random.Random], bytes]
) -> None:
    draw = random.Random(mutation.__name__)
    members = members_of(small.content)
    for i in range(150 * TIMES):
        name = (DOCUMENT, ANSWERS)[i % 2]
        survives(small, tmp_path, write_container(members | {name: mutation(members[name], draw)}))


NUMBERS = st.one_of(st.integers(), st.floats(), st.integers(2**62, 2**70), st.booleans())
TEXTS = st.one_of(st.text(max_size=30), st.sampled_from(["../x", "/etc/passwd", "a\0b", "0.twin", "0", TASK, "\ud800"]))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path] * bool(path) + [place for step, inner in steps for place in places(inner, (*path, step))]


@settings(max_examples=100 * TIMES, **UNHURRIED)
@given(data=st.data())
def test_a_document_of_any_fields_is_refused_or_graded(small: Small, tmp_path: Path, data: st.DataObject) -> None:
    document = json.loads(small.submission.content())
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(places(document)))
        at = document
        for step in place[:-1]:
            at = at[step]
        if isinstance(at, dict) and data.draw(st.integers(0, 5)) == 0:
            at[data.draw(TEXTS)] = at.pop(place[-1])
        else:
            at[place[-1]] = data.draw(JSON)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content = text.encode("utf-8", "surrogatepass") + b"\n"
    survives(small, tmp_path, write_container(members_of(small.content) | {DOCUMENT: content}))


DTYPES = [torch.float64, torch.float32, torch.float16, torch.int64, torch.int8, torch.uint8, torch.bool]
TENSORS = st.builds(
    lambda shape, dtype, scale: (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * scale).to(dtype),
    st.lists(st.integers(0, 40), max_size=4),
    st.sampled_from(DTYPES),
    st.sampled_from([0.0, 1.0, -1.0, 1e30]),
)
VALUES = st.one_of(
    TENSORS,
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(-1e308, 1e308),
    st.text("ab@.0", max_size=9),
)
FIELDS = st.sampled_from(["scores", "site", "basis", "answer", "self", "__class__x", "a"])


@settings(max_examples=40 * TIMES, **UNHURRIED)
@given(data=st.data())
def test_answers_of_any_kind_are_refused_or_graded(
    small: Small, small_variables: Small, tmp_path: Path, data: st.DataObject
) -> None:
    """With all hashes right, as who means harm would make them."""
    one = data.draw(st.sampled_from([small, small_variables]))
    answers: dict[str, Answer] = {name: dict(fields) for name, fields in one.answers[TASK].items()}
    for name in data.draw(st.lists(st.sampled_from(sorted(answers)), min_size=1, max_size=3)):
        answers[name] |= data.draw(st.dictionaries(FIELDS.filter(str.isidentifier), VALUES, min_size=1, max_size=2))
    if "site" in one.answers[TASK]["0"] and data.draw(st.booleans()):  # a wild basis at a real site
        answers["0"]["site"] = one.answers[TASK]["0"]["site"]
    answers = {name: {k: v for k, v in fields.items() if not k.startswith("_")} for name, fields in answers.items()}
    document = json.loads(one.submission.content())
    document["cells"][0]["answer_hash"] = answer_hash(answers)
    submission = Submission.model_validate_json(json.dumps(document))
    told = survives(one, tmp_path, archive_of(submission, {TASK: answers}))
    assert told.startswith(GRADED) or "finite" in told


def test_no_archive_takes_more_memory_than_it_may(small: Small, tmp_path: Path) -> None:
    """Each in a process that is killed beyond 1.5 GiB of data: bombs are refused before they go off."""
    import io
    import zipfile

    members = members_of(small.content)

    def deflated(name: str, content: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for own, member in (members | {name: content}).items():
                archive.writestr(own, member)
        return out.getvalue()

    huge = {"__metadata__": {}, "x": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}
    text = json.dumps(huge).encode()
    bombs = {
        "zeros": deflated(ANSWERS, b"\0" * 180_000_000),
        "nested": deflated(DOCUMENT, b'{"a":' * 3_000_000),
        "list": deflated(DOCUMENT, b"[" + b"0," * 7_000_000 + b"0]"),
        "header": write_container(members | {ANSWERS: struct.pack("<Q", 2**60) + b" " * 10_000_000}),
        "shape": write_container(members | {ANSWERS: struct.pack("<Q", len(text)) + text}),
        "directory": small.content[: -END.size] + END.pack(b"PK\5\6", 0, 0, 60_000, 60_000, 2**31, 0, 0),
    }
    for name, content in bombs.items():
        (tmp_path / f"{name}.peabench.zip").write_bytes(content)
    program = """
import sys, pathlib, resource, torch
from peabench.errors import PeabenchError
from peabench_leaderboard.submissions.archive import read_archive
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        read_archive(path)
    except PeabenchError as error:
        print(path.name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
    else:
        raise SystemExit(path.name)
"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (3 * 2**29, 3 * 2**29))

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False, preexec_fn=limit
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == len(bombs)
    grown = max(int(line.split()[1]) for line in lines)  # KiB, on Linux
    assert grown < 700_000, lines
