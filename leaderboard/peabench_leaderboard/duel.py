"""What `peabench compare` prints for people."""

from collections.abc import Mapping

from peabench.cli.output import display, table
from peabench.comparison import Comparison, Difference

COLUMNS = [("Tasks", "right"), ("Difference", "right"), ("95% interval", "right"), ("Wins", "right"), ("Ties", "right")]


def print_comparison(found: Comparison) -> None:
    """Print a comparison: the verdict in words, then the difference overall, by variant and by size."""
    rows = [("all", found.overall), *_named("", found.variants), *_named("size ", found.sizes)]
    columns = [("On", "fold"), *COLUMNS, ("Losses", "right")]
    title = f"{found.track}: {found.first} ({found.first_score:.3f}) less {found.second} ({found.second_score:.3f})"
    display(
        table(title, columns, [(name, *_cells(difference)) for name, difference in rows]),
        "",
        _verdict(found),
        *_uncompared(found),
    )


def _named(prefix: str, groups: Mapping[str, Difference]) -> list[tuple[str, Difference]]:
    return [(f"{prefix}{name}", difference) for name, difference in groups.items()]


def _cells(found: Difference) -> tuple[str, ...]:
    bounds = "-" if found.interval is None else f"{found.interval[0]:+.3f} to {found.interval[1]:+.3f}"
    return (str(found.tasks), f"{found.difference:+.3f}", bounds, str(found.wins), str(found.ties), str(found.losses))


def _verdict(found: Comparison) -> str:
    if found.overall.interval is None:
        return "A family has a single task: there is no interval to judge the difference by."
    if not found.resolved:
        return f"These tasks do not tell {found.first} and {found.second} apart: the interval holds 0."
    better = found.first if found.overall.difference > 0 else found.second
    return f"{better} is better: the interval leaves 0 out."


def _uncompared(found: Comparison) -> list[str]:
    alone = [(found.first, found.only_first), (found.second, found.only_second)]
    return [f"{name} alone answered {count} cells; they are not compared." for name, count in alone if count]
