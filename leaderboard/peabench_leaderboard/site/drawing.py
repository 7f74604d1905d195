"""SVG, element by element. Every attribute and every text is escaped; a picture has a title and a description."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeGuard

from markupsafe import Markup, escape

Point = tuple[float, float]


def element(tag: str, *content: Markup | str, **attributes: object) -> Markup:
    """An element. `_` in an attribute's name stands for `-`, a trailing one is dropped; None leaves the attribute out.

    >>> element("text", "a < b", x=1.25, text_anchor="end", class_="label")
    Markup('<text x="1.2" text-anchor="end" class="label">a &lt; b</text>')
    """
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{number(value) if _is_real(value) else escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(part) for part in content)
    return Markup(f"<{tag}{told}>{inner}</{tag}>" if inner else f"<{tag}{told}/>")  # all of it is escaped


def group(content: Iterable[Markup], **attributes: object) -> Markup:
    """Elements in a `g`."""
    return element("g", *content, **attributes)


def picture(
    key: str, size: tuple[float, float], title: str, description: str, content: Iterable[Markup], class_: str = ""
) -> Markup:
    """A whole drawing in the size of its own units, which shrinks with its place but does not grow.

    Args:
        key: an id that no other picture of the page has.
        size: width and height.
        title: the name that a screen reader says.
        description: what is to be seen, in words.
        content: the elements.
        class_: of the `svg` element.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", description, id=f"{key}-desc"),
        *content,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        class_=class_ or None,
    )


def titled(content: Markup, title: str, **attributes: object) -> Markup:
    """An element with a tooltip."""
    return element("g", element("title", title), content, **attributes)


def line(start: Point, end: Point, **attributes: object) -> Markup:
    """A straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], **attributes)


def text(at: Point, content: str, **attributes: object) -> Markup:
    """A line of text."""
    return element("text", content, x=at[0], y=at[1], **attributes)


def polyline(points: Sequence[Point]) -> str:
    """Path data of straight segments."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def flow(points: Sequence[Point]) -> str:
    """Path data of a line from left to right that leaves and enters each point horizontally."""
    parts = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(y1 - y0) < 0.5:
            parts.append(f"L{number(x1)} {number(y1)}")
        else:
            middle = number((x0 + x1) / 2)
            parts.append(f"C{middle} {number(y0)} {middle} {number(y1)} {number(x1)} {number(y1)}")
    return "".join(parts)


def number(value: float) -> str:
    """A coordinate to a tenth of a unit.

    >>> number(3.0), number(0.25), number(-0.01)
    ('3', '0.2', '0')
    """
    rounded = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if rounded == "-0" else rounded


def shortened(content: str, longest: int) -> str:
    """A text of at most so many characters.

    >>> shortened("maj(a, b, c)", 6)
    'maj(a…'
    """
    return content if len(content) <= longest else content[: longest - 1] + "…"


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
