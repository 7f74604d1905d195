"""The features of a site as a picture: a row and a column for each, shaded by cosine, and a bar for its firing rate."""

from markupsafe import Markup

from peabench.feature_geometry import SiteGeometry
from peabench.feature_picture import percent
from peabench_leaderboard.site.drawing import element, group, number, picture, shortened, text, titled

CELL = 15.0
LEFT, TOP, MARGIN = 120.0, 26.0, 10.0
GAP, BAR, NUMBER = 22.0, 90.0, 56.0
"""Between the cosines and the bars, and room for the longest bar and for its number."""
KEY = 34.0
"""Height of the scale below."""
LEVELS = 10
LONGEST_LABEL = 14


def feature_grid(key: str, geometry: SiteGeometry) -> Markup:
    """Cosines between directions, signs left out, and firing rates; of more than 40 features those that fire most.

    Args:
        key: an id that no other picture of the page has.
        geometry: of the site.
    """
    shown = geometry.shown
    side = CELL * len(shown)
    bars = LEFT + side + GAP
    width, height = bars + BAR + NUMBER + MARGIN, TOP + side + KEY + MARGIN
    most = max(float(geometry.rates[shown].max()), 1e-9)
    content = [
        text((LEFT, 16), "cosine of two directions", class_="layer"),
        text((bars, 16), "fires on", class_="layer"),
        *_cells(geometry, shown),
    ]
    for row, feature in enumerate(shown):
        y, rate = TOP + CELL * row, float(geometry.rates[feature])
        kind = "asked" if feature < geometry.used else "beside"
        name = text(
            (LEFT - 10, y + 11.5),
            shortened(geometry.names[feature], LONGEST_LABEL),
            class_=f"feature-name {kind}",
            text_anchor="end",
        )
        bar = element(
            "rect", x=bars, y=y + 3, width=max(1.0, BAR * rate / most), height=CELL - 6, class_=f"rate {kind}"
        )
        told = text((bars + max(1.0, BAR * rate / most) + 6, y + 11.5), percent(rate), class_="layer")
        content.append(titled(group([name, bar, told]), in_words(geometry, feature)))
    content += _key(TOP + side + 12)
    description = (
        f"{len(shown)} features by {len(shown)}. The stronger the shade of a square, the nearer lie the directions of "
        "its row and its column to one line. The list below has a row for each feature."
    )
    return picture(key, (width, height), f"Features at {geometry.site}", description, content, "features")


def in_words(geometry: SiteGeometry, feature: int) -> str:
    """How often a feature fires, and which other lies nearest to it."""
    nearest, cosine = nearest_to(geometry, feature)
    beside = f"; nearest to {nearest}, cosine {cosine:.2f}" if nearest else ""
    return f"{geometry.names[feature]} fires on {percent(float(geometry.rates[feature]))}{beside}"


def nearest_to(geometry: SiteGeometry, feature: int) -> tuple[str, float]:
    """The feature with the largest cosine to another, and that cosine; no name where there is no other."""
    others = [(float(cosine), i) for i, cosine in enumerate(geometry.cosines[feature]) if i != feature]
    cosine, other = max(others, default=(0.0, -1))
    return (geometry.names[other], cosine) if other >= 0 else ("", cosine)


def _cells(geometry: SiteGeometry, shown: list[int]) -> list[Markup]:
    """A path of all squares of each shade: one element for each square would only weigh the page down."""
    side = CELL * len(shown)
    squares: dict[int, list[str]] = {}
    levels = (geometry.cosines[shown][:, shown] * LEVELS).round().int().tolist()
    for row, cells in enumerate(levels):
        for column, level in enumerate(cells):
            if level:
                corner = f"M{number(LEFT + CELL * column)} {number(TOP + CELL * row)}"
                squares.setdefault(level, []).append(f"{corner}h{number(CELL)}v{number(CELL)}h-{number(CELL)}z")
    ground = element("rect", x=LEFT, y=TOP, width=side, height=side, class_="level-0")
    return [ground, *(element("path", d="".join(squares[level]), class_=f"level-{level}") for level in sorted(squares))]


def _key(top: float) -> list[Markup]:
    """The scale of shades."""
    squares = [
        element("rect", x=LEFT + CELL * level, y=top, width=CELL, height=CELL, class_=f"level-{level}")
        for level in range(LEVELS + 1)
    ]
    end = LEFT + CELL * (LEVELS + 1) + 8
    return [
        text((LEFT - 10, top + 11.5), "0", class_="layer", text_anchor="end"),
        *squares,
        text((end, top + 11.5), "1", class_="layer"),
    ]
