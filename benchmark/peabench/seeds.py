"""Seeds from what something is."""

import hashlib


def seed_of(*identity: object) -> int:
    """A 63-bit seed from what something is, never from when it runs.

    >>> seed_of("circuits", "boolean/tree-s-0", 0) == seed_of("circuits", "boolean/tree-s-0", 0)
    True
    """
    text = "\0".join(str(part) for part in identity)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
