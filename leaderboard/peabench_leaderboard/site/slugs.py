"""File names from names that others chose: no path leaves its folder, and no two names share a file."""

import hashlib
import re

_PART = "[a-z0-9](?:[a-z0-9._]|-(?!-)){0,63}"
_PLAIN = re.compile(rf"{_PART}(?:/{_PART})?")
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{device}{number}" for device in ("com", "lpt") for number in range(10)}
)
"""Names that Windows keeps for devices, whatever follows a dot."""
LONGEST_HINT = 40


def slug(name: str) -> str:
    """The stem of a name's file.

    A plain name (lower-case letters, digits, `.`, `_` and single hyphens, at most one `/`) is its own stem, with `--`
    for the `/`. Any other is what is plain of it, a `~`, which plain names lack, and 16 digits of its SHA-256.

    >>> slug("eap-ig"), slug("boolean/tree-s-0")
    ('eap-ig', 'boolean--tree-s-0')
    >>> slug("../../etc")
    'etc~74ccf3c5b4c19a81'
    """
    if _PLAIN.fullmatch(name) and name.partition(".")[0] not in _RESERVED:
        return name.replace("/", "--")
    hint = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_HINT]
    return f"{hint}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
