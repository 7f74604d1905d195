"""Files that are there as a whole or not at all, whatever kills the process that writes them."""

import os
import re
import socket
import time
from contextlib import suppress
from pathlib import Path

ABANDONED_SECONDS = 3600.0
PART = re.compile(r"\..+\.(?P<host>[^.]+)\.(?P<process>\d+)\.part")


def write_whole(file: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old one or the new one, never a part of it.

    Raises:
        OSError: it cannot be written.
    """
    part = file.with_name(f".{file.name}.{_host()}.{os.getpid()}.part")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(content)
        part.replace(file)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def clear_parts(folder: Path) -> None:
    """Remove what was left in a folder of results by processes that were killed while they wrote; other parts stay.

    A process of another machine counts as killed if its part is an hour old.
    """
    for part in folder.glob("*/*/.*.part"):
        named = PART.fullmatch(part.name)
        if named is None:
            continue
        with suppress(OSError):
            if _is_abandoned(part, named["host"], int(named["process"])):
                part.unlink()


def _is_abandoned(part: Path, host: str, process: int) -> bool:
    if host == _host():
        return not _lives(process)
    return time.time() - part.stat().st_mtime > ABANDONED_SECONDS


def _host() -> str:
    return socket.gethostname().partition(".")[0] or "host"


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
