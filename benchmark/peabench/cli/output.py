"""What every command prints with: JSON and tables to standard output, all the rest to standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def note(text: str) -> None:
    """Print a remark on standard error."""
    typer.echo(text, err=True)


def console() -> "Console":
    """A console on standard output; 80 columns wide where it is no terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def table(title: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> "Table":
    """A plain table.

    Args:
        title: above the table.
        columns: name of each, and how it is set: `left`, `right`, or `fold` (left, and wrapped where it is too long).
        rows: the texts of the cells, printed as they are.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    result = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, title_style="bold")
    for name, style in columns:
        result.add_column(
            name, justify="right" if style == "right" else "left", no_wrap=style != "fold", overflow="fold"
        )
    for row in rows:
        result.add_row(*(Text(cell) for cell in row))
    return result
