"""Everything a sealed suite draws comes from one secret, through HKDF (RFC 5869) with SHA-256."""

import hashlib
import hmac
from pathlib import Path

from peabench.errors import PeabenchError

FEWEST_BYTES = 32
LARGEST_BYTES = 1 << 16


def read_secret(file: Path) -> bytes:
    """The bytes of a secret's file.

    Raises:
        PeabenchError: it cannot be read, or is too short to be a secret.
    """
    how = f"make one with `head -c {FEWEST_BYTES} /dev/urandom > {file}` and keep it to yourself"
    try:
        with file.open("rb") as content:
            secret = content.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise PeabenchError(f"The secret {file} could not be read ({error.strerror}); {how}.") from error
    if not FEWEST_BYTES <= len(secret) <= LARGEST_BYTES:
        came = f"{len(secret)} bytes" if len(secret) <= LARGEST_BYTES else "more"
        raise PeabenchError(
            f"The secret {file} must have {FEWEST_BYTES} to {LARGEST_BYTES} random bytes, but has {came}; {how}."
        )
    return secret


def derive(secret: bytes, *purpose: object, length: int = 32) -> bytes:
    """Bytes for one purpose, of which no other purpose's tell anything.

    Args:
        secret: input keying material.
        purpose: what they are for; as text, none of its parts may hold a NUL.
        length: how many bytes, at most 8,160.
    """
    return hkdf(secret, b"peabench sealed suite", "\0".join(str(part) for part in purpose).encode(), length)


def derive_seed(secret: bytes, *purpose: object) -> int:
    """A seed for one purpose, 32 bytes wide, for `peabench.generators.generator_of` or `random.Random`."""
    return int.from_bytes(derive(secret, *purpose), "big") | 1 << 255


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256: extract, then expand."""
    key = hmac.digest(salt, secret, "sha256")
    stream, block = b"", b""
    while len(stream) < length:
        block = hmac.digest(key, block + info + bytes([len(stream) // hashlib.sha256().digest_size + 1]), "sha256")
        stream += block
    return stream[:length]
