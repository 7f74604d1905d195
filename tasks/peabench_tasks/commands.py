"""What this package's commands, `python -m peabench_tasks.NAME`, share: errors in one sentence, tables in Markdown."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from peabench.catalogue import bundled_tasks, select
from peabench.errors import PeabenchError
from peabench.tasks import CERTIFICATE_FILE, Task, load_task


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command; an error that its user can mend is one sentence and exit code 2, as those of `peabench` are."""
    try:
        code = main()
    except (PeabenchError, OSError) as error:
        sys.stderr.write(f"Error: {' '.join(str(error).split())}\n")
        code = 2
    sys.exit(code)


def expect_no_arguments() -> None:
    """Refuse arguments, in a command that takes none.

    Raises:
        PeabenchError: there are some.
    """
    if sys.argv[1:]:
        raise PeabenchError(f"Expected no arguments, got {' '.join(sys.argv[1:])!r}; run it without.")


def certified_tasks(track: str, patterns: Sequence[str]) -> list[Task]:
    """The certified tasks of a track whose ids match any of the patterns; all of them where there is no pattern.

    Raises:
        PeabenchError: there is none.
    """
    chosen = [task for task in select(bundled_tasks(), patterns or ["*"]) if track in task.tracks]
    found = [load_task(task.folder) for task in chosen if (task.folder / CERTIFICATE_FILE).exists()]
    if not found:
        raise PeabenchError(f"No task that matches {' '.join(patterns)!r} is of the track {track}; name one that is.")
    return found


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> None:
    """Print a table in Markdown, whose first columns are texts and whose others are numbers."""
    lines = [headings, ["---"] * texts + ["---:"] * (len(headings) - texts), *rows]
    sys.stdout.writelines("| " + " | ".join(cells) + " |\n" for cells in lines)
