"""What every command prints with: JSON and tables to standard output, all the rest to standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def note(text: str) -> None:
    """Print a remark on standard error."""
    typer.echo(printable(text), err=True)


def printable(text: str) -> str:
    """A text without what would steer a terminal: names and reasons come from outside."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text)


def display(*renderables: "RenderableType") -> None:
    """Print on standard output, 80 columns wide where it is no terminal, without blanks at the ends of lines."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(*(printable(each) if isinstance(each, str) else each for each in renderables), sep="\n")
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


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

    result = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    for name, style in columns:
        folds = style == "fold"
        justify: Literal["left", "right"] = "right" if style == "right" else "left"
        result.add_column(name, justify=justify, no_wrap=not folds, min_width=12 if folds else None, overflow="fold")
    for row in rows:
        result.add_row(*(Text(printable(cell)) for cell in row))
    return result
