"""Files of a mechanism's folder: read within limits and within the folder, written as a whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from peabench.mechanism.errors import in_file


def read_file(folder: Path, name: str, limit: int) -> bytes:
    """The bytes of the file `name` directly in `folder`.

    Raises:
        MechanismError: no such file, not a plain file, larger than `limit` bytes, or a name or a symbolic link
            that leads out of the folder.
    """
    path = folder / name
    if not is_plain_name(name):
        raise in_file(path, "", f"expected a plain file name, got {name!r}; no '/', '\\\\' or '..' are allowed")
    try:
        real = path.resolve(strict=True)
        if real.parent != folder.resolve():
            raise in_file(path, "", f"expected a file inside its folder, got a link to {real}; copy the file there")
        size = real.stat().st_size
        if not stat.S_ISREG(real.stat().st_mode):
            raise in_file(path, "", "expected a plain file, got a folder or device; replace it")
        if size > limit:
            raise in_file(path, "", f"expected at most {limit} bytes, got {size}; reduce the file or raise the limit")
        with real.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise in_file(path, "", f"expected a readable file, got '{reason}'; check the folder") from None
    if len(data) > limit:
        raise in_file(path, "", f"expected at most {limit} bytes, got more; the file grew while it was read")
    return data


def is_plain_name(name: str) -> bool:
    """Whether `name` names a file directly in a folder, on any operating system."""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0") and Path(name).name == name


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into `folder` (made if need be) so that none is ever seen half-written.

    Every file is first written and flushed under a temporary name beside its own; only when all of them are on
    disk are they renamed, in the order of `contents`. After an error the old files are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pending: dict[Path, Path] = {}
    try:
        for name, data in contents.items():
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".part")
            pending[Path(temporary)] = folder / name
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner reads; a task folder is for everyone.
            Path(temporary).chmod(0o644)
        for temporary_path, path in pending.items():
            temporary_path.replace(path)
    finally:
        for temporary_path in pending:
            temporary_path.unlink(missing_ok=True)
