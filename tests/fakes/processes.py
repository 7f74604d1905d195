"""Processes of the system, for tests of what a run leaves behind."""

from pathlib import Path


def processes_with(variable: str) -> dict[int, str]:
    """Command lines, by process id, of the processes that were started with this text in their environment."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and variable.encode() in (folder / "environ").read_bytes():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = command
        except OSError:  # it ended, or is another user's
            continue
    return found
