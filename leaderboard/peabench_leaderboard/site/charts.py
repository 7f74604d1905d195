"""Charts drawn when the site is built: score against cost, score against size, and the bar of an interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from markupsafe import Markup

from peabench_leaderboard.site import figures
from peabench_leaderboard.site.drawing import (
    Point,
    element,
    group,
    line,
    number,
    picture,
    polyline,
    shortened,
    text,
    titled,
)
from peabench_leaderboard.site.layering import spread

LABEL_GAP = 15.0
LETTER = 7.0
"""Width that is reckoned for a letter of a label."""
MOVED = 6.0
"""How far a label may stand off its point without a line that leads to it."""
LONGEST_LABEL = 22
BAR = (120.0, 18.0)
"""Size of an interval's bar."""
MARKS = 8
"""Ways of drawing a series that `site.css` tells apart."""


@dataclass(frozen=True)
class Dot:
    """A scorer in a scatter plot."""

    label: str
    page: str
    cost: float
    score: float
    interval: tuple[float, float] | None
    role: str


@dataclass(frozen=True)
class Unit:
    """What a cost is counted in."""

    axis: str
    """The name of the axis."""
    figure: Callable[[float], str]
    """A cost as people read it."""
    noun: str
    """What follows the figure in words, with a space before it."""


PASSES = Unit("example-passes per task, median", figures.count, " passes")
SECONDS = Unit("seconds per task, median", figures.seconds, "")


@dataclass(frozen=True)
class Series:
    """A scorer's mean score at each size."""

    label: str
    page: str
    scores: Mapping[str, float]
    role: str


def lowest(scores: Sequence[float]) -> float:
    """Where a scale of scores begins: at 0, or at the tenth below the least of them, but no lower than -1."""
    return max(-1.0, min(0.0, floor(10 * min(scores, default=0.0)) / 10))


def interval_bar(score: float | None, interval: tuple[float, float] | None, low: float, role: str) -> Markup:
    """A score as a dot and its interval as a line, on a scale from `low` to 1. The numbers stand beside it as text."""
    width, height = BAR
    middle = height / 2

    def at(value: float) -> float:
        return 5 + (width - 10) * (max(low, min(1.0, value)) - low) / (1 - low)

    ticks = "".join(f"M{number(at(value))} 2V{number(height - 2)}" for value in (0.0, 0.5, 1.0))
    marks = [element("path", d=f"M{number(at(low))} {number(middle)}H{number(at(1))}{ticks}", class_="rail")]
    if score is not None:
        bounds = interval or (score, score)
        marks.append(line((at(bounds[0]), middle), (at(bounds[1]), middle), class_="range"))
        marks.append(element("circle", cx=at(score), cy=middle, r=4, class_="point"))
    return element(
        "svg",
        *marks,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        class_=f"bar {role}",
        aria_hidden="true",
        focusable="false",
        data_low=f"{low:g}",
    )


def cost_plot(key: str, dots: Sequence[Dot], root: str, unit: Unit = PASSES) -> Markup:
    """Score against cost on a logarithmic axis, with the Pareto front of the methods."""
    width, height, left, right, top, bottom = 600.0, 380.0, 50.0, 130.0, 16.0, 52.0
    low = lowest([dot.score for dot in dots])
    paid = [dot.cost for dot in dots if dot.cost > 0]
    first, last = floor(log10(min(paid, default=1))), ceil(log10(max(paid, default=10)))
    last = max(last, first + 1)
    free = left + 24  # where methods stand that need no passes at all
    start = left + 84 if len(paid) < len(dots) else left + 16

    def x(cost: float) -> float:
        return start + (width - right - start) * (log10(cost) - first) / (last - first) if cost > 0 else free

    def y(score: float) -> float:
        return top + (height - top - bottom) * (1 - max(low, score)) / (1 - low)

    content = _score_axis(low, left, width - right, y)
    floor_line = height - bottom
    content += [
        text((x(10.0**power), floor_line + 20), unit.figure(10.0**power), class_="axis", text_anchor="middle")
        for power in range(first, last + 1)
    ]
    content += [
        line((x(10.0**power), top), (x(10.0**power), floor_line), class_="grid") for power in range(first, last + 1)
    ]
    if len(paid) < len(dots):
        content.append(text((free, floor_line + 20), "none", class_="axis", text_anchor="middle"))
        content.append(line((free + 30, top), (free + 30, floor_line), class_="break"))
    content.append(
        text(
            ((left + width - right) / 2, height - 8),
            unit.axis,
            class_="axis-name",
            text_anchor="middle",
        )
    )
    front = pareto([dot for dot in dots if dot.role == "method"])
    content.append(element("path", d=_steps([(x(dot.cost), y(dot.score)) for dot in front]), class_="front"))
    labels = [shortened(dot.label, LONGEST_LABEL) for dot in dots]
    beside = _label_places([(x(dot.cost), y(dot.score)) for dot in dots], labels, (width, height - bottom))
    for dot, label, (label_x, label_y) in zip(dots, labels, beside, strict=True):
        place = (x(dot.cost), y(dot.score))
        marks = []
        if dot.interval:
            marks.append(line((place[0], y(dot.interval[0])), (place[0], y(dot.interval[1])), class_="range"))
        marks.append(element("circle", cx=place[0], cy=place[1], r=5, class_="point"))
        if abs(label_y - place[1]) > MOVED or label_x < place[0] + MOVED:
            marks.append(line(place, (label_x - 2, label_y), class_="leader"))
        marks.append(text((label_x, label_y + 4), label, class_="label"))
        told = f"{dot.label}: {figures.score(dot.score)}, {unit.figure(dot.cost)}{unit.noun}"
        link = element("a", titled(Markup("").join(marks), told), href=root + dot.page)
        content.append(group([link], class_=f"dot {dot.role}{' on-front' if dot in front else ''}"))
    names = ", ".join(dot.label for dot in front) or "nobody"
    description = f"{len(dots)} scorers. On the Pareto front of the methods, from cheap to dear: {names}."
    return picture(key, (width, height), "Score against cost", description, content, "chart scatter")


def pareto(dots: Sequence[Dot]) -> list[Dot]:
    """Those that none other beats: at least as cheap and as good as it, and better in one of both; from cheap to dear.

    >>> a, b, c = (Dot(n, "", cost, s, None, "method") for n, cost, s in [("a", 1, .5), ("b", 2, .9), ("c", 3, .8)])
    >>> [dot.label for dot in pareto([c, b, a])]
    ['a', 'b']
    """
    front: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (dot.cost, -dot.score)):
        if not front or dot.score > front[-1].score:
            front.append(dot)
    return front


def size_plot(key: str, series: Sequence[Series], sizes: Sequence[str], root: str) -> Markup:
    """A line per scorer over the sizes, named at its right end."""
    width, height, left, right, top, bottom = 600.0, 380.0, 50.0, 166.0, 16.0, 52.0
    low = lowest([score for one in series for score in one.scores.values()])

    def x(size: str) -> float:
        return left + 24 + (width - right - left - 48) * (sizes.index(size) / max(len(sizes) - 1, 1))

    def y(score: float) -> float:
        return top + (height - top - bottom) * (1 - max(low, score)) / (1 - low)

    content = _score_axis(low, left, width - right, y)
    content += [text((x(size), height - bottom + 20), size, class_="axis", text_anchor="middle") for size in sizes]
    content.append(
        text(((left + width - right) / 2, height - 8), "size of the task", class_="axis-name", text_anchor="middle")
    )
    ends = sorted(
        ((y(list(one.scores.values())[-1]), i) for i, one in enumerate(series) if one.scores), key=lambda end: end[0]
    )
    gap = min(LABEL_GAP, height / max(len(ends), 1))
    heights = dict(
        zip(
            (i for _, i in ends),
            spread([end for end, _ in ends], [gap] * len(ends), lowest=gap / 2, highest=height - gap / 2),
            strict=True,
        )
    )
    coloured = 0
    for i, one in enumerate(series):
        if not one.scores:
            continue
        mark = f"mark-{coloured % MARKS}" if one.role == "method" else ""
        coloured += one.role == "method"
        points = [(x(size), y(one.scores[size])) for size in sizes if size in one.scores]
        marks = [element("path", d=polyline(points), class_="curve")]
        marks += [element("circle", cx=at[0], cy=at[1], r=3.5, class_="point") for at in points]
        label_x = width - right + 12
        marks.append(line((points[-1][0] + 5, points[-1][1]), (label_x - 3, heights[i]), class_="leader"))
        marks.append(text((label_x, heights[i] + 4), shortened(one.label, LONGEST_LABEL), class_="label"))
        told = f"{one.label}: " + ", ".join(
            f"{size} {figures.short_score(value)}" for size, value in one.scores.items()
        )
        link = element("a", titled(Markup("").join(marks), told), href=root + one.page)
        content.append(group([link], class_=f"series {one.role} {mark}".rstrip()))
    description = (
        f"Mean scores of {len(series)} scorers on tasks of size {', '.join(sizes)}. The table below has the numbers."
    )
    return picture(key, (width, height), "Score against size", description, content, "chart lines")


def _score_axis(low: float, left: float, right: float, y: Callable[[float], float]) -> list[Markup]:
    values = [value / 5 for value in range(ceil(5 * low), 6)]
    lines = [line((left, y(value)), (right, y(value)), class_="zero" if value == 0 else "grid") for value in values]
    names = [
        text((left - 8, y(value) + 4), figures.short_score(value)[:-1], class_="axis", text_anchor="end")
        for value in values
    ]
    turned = text(
        (0, 0),
        "score",
        class_="axis-name",
        text_anchor="middle",
        transform=f"translate(14 {(y(1) + y(low)) / 2:.0f}) rotate(-90)",
    )
    return [*lines, *names, turned]


def _label_places(places: Sequence[Point], labels: Sequence[str], size: Point) -> list[Point]:
    """Where labels begin, to the right of their points and inside the picture: each as near to its point's height as
    those set before it allow. If there is no room left, it stands at its point's height.
    """
    lowest, highest = LABEL_GAP / 2, size[1] - LABEL_GAP / 2
    lefts = [max(0.0, min(x + 10, size[0] - LETTER * len(label))) for (x, _), label in zip(places, labels, strict=True)]
    spans = [
        (min(left, x), left + LETTER * len(label) + 6)
        for left, (x, _), label in zip(lefts, places, labels, strict=True)
    ]
    heights = [max(lowest, min(highest, y)) for _, y in places]
    done: list[int] = []
    for i in sorted(range(len(places)), key=lambda i: places[i][1]):
        rivals = [heights[j] for j in done if spans[j][0] < spans[i][1] and spans[i][0] < spans[j][1]]
        tried = [heights[i], *(rival + sign * LABEL_GAP for rival in rivals for sign in (1, -1))]
        free = [at for at in tried if lowest <= at <= highest and all(abs(at - rival) >= LABEL_GAP for rival in rivals)]
        heights[i] = min(free, key=lambda at: abs(at - places[i][1]), default=heights[i])
        done.append(i)
    return list(zip(lefts, heights, strict=True))


def _steps(points: Sequence[Point]) -> str:
    """Path data of a staircase through points from left to right."""
    corners = list(points[:1])
    for before, after in pairwise(points):
        corners += [(after[0], before[1]), after]
    return polyline(corners) if corners else "M0 0"
