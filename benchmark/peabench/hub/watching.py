"""What the client tells of a download while it goes on."""

from collections.abc import Callable
from typing import Any

Watcher = Callable[[int, int, int], None]
"""Called with the files done, the files asked for, and the bytes received."""


def bars(watcher: Watcher | None) -> type:
    """A class that stands where the client wants a `tqdm` one: it draws nothing and tells the watcher."""
    counts = {"files": 0, "bytes": 0}
    asked = 0

    class Bar:
        """Counts files, or bytes; the client has one bar of bytes received and one of bytes written."""

        def __init__(self, *_: object, total: int | None = None, unit: str = "it", **__: object) -> None:
            nonlocal asked
            self.total, self.n, self.format_dict = total, 0, {"rate": None}
            self._counted = "bytes" if unit == "B" else "files"
            if self._counted == "files":
                asked = total or 0
            self._tell()

        def update(self, n: float | None = 1) -> None:
            self.n += int(n or 0)
            counts[self._counted] = self.n if self._counted == "files" else max(self.n, counts["bytes"])
            self._tell()

        def _tell(self) -> None:
            if watcher is not None:
                watcher(counts["files"], asked, counts["bytes"])

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None: ...

        def __getattr__(self, name: str) -> Any:
            """Whatever else bars do is about how they look."""
            return lambda *_, **__: None

    return Bar
