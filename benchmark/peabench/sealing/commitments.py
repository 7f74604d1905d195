"""Commitments: what is published of a truth before it is revealed, and how a revealed one is held against it.

The commitment of a task is the SHA-256, in hexadecimal, of these bytes one after another: `peabench commitment 1` and a
NUL; the 32 bytes of the nonce; then for each of `COMMITTED`, in that order (of their names), the name, a NUL, the
number of its bytes in decimal, a NUL, and its bytes; then the same for each companion, in the order of their names, its
files named `companions/NAME/FILE`. The files are the canonical encoding of the truth: equal
mechanisms are written as equal bytes (`Mechanism.save`). Without the nonce nobody can tell whether a guessed truth
is right; with it nobody can name another truth.
"""

import hashlib
import secrets
from pathlib import Path

from peabench.catalogue import COMPANIONS, RECORD, TRUTH
from peabench.errors import PeabenchError
from peabench.mechanism.files import read_file, write_files
from peabench.mechanism.tensors import TENSORS_FILE
from peabench.suites import Suite
from peabench.tasks import CERTIFICATE_FILE, LARGEST_CHECKPOINT_BYTES, WEIGHTS_FILE

NONCE_FILE = "nonce"
NONCE_BYTES = 32
COMMITTED = tuple(sorted((CERTIFICATE_FILE, TRUTH, TENSORS_FILE, WEIGHTS_FILE, RECORD)))
"""The files that are committed to: certificate, mechanism and its tensors, weights, private record."""


def commitment(folder: Path) -> str:
    """The commitment to the truth in a private task folder.

    Raises:
        PeabenchError: a file or the nonce is missing or damaged.
    """
    digest = hashlib.sha256(b"peabench commitment 1\0" + read_nonce(folder))
    companions = (path for path in (folder / COMPANIONS).glob("*") if path.is_dir())
    for place in (folder, *sorted(companions, key=lambda path: path.name)):
        for file in COMMITTED:
            content = read_file(place, file, LARGEST_CHECKPOINT_BYTES)
            name = (place / file).relative_to(folder).as_posix()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def broken_commitment(suite: Suite, task_id: str, folder: Path) -> str | None:
    """Why a private task folder is not the one that a suite committed to, or None if it is."""
    try:
        found = commitment(folder)
    except PeabenchError as error:
        return str(error)
    if found == suite.commitments[task_id]:
        return None
    return f"The truth of {task_id} in {folder} is not what {suite.name} committed to; restore it as it was sealed."


def write_nonce(folder: Path) -> None:
    """Draw a nonce from the operating system and write it, in hexadecimal, into a private task folder."""
    write_files(folder, {NONCE_FILE: secrets.token_hex(NONCE_BYTES).encode() + b"\n"})


def read_nonce(folder: Path) -> bytes:
    """The nonce of a private task folder.

    Raises:
        PeabenchError: there is none, or it is damaged.
    """
    text = read_file(folder, NONCE_FILE, 1024).strip()
    try:
        nonce = bytes.fromhex(text.decode())
    except ValueError:
        nonce = b""
    if len(nonce) != NONCE_BYTES:
        raise PeabenchError(
            f"{folder / NONCE_FILE} must hold {NONCE_BYTES} bytes in hexadecimal, but holds {text[:80]!r}; restore it."
        )
    return nonce
