"""Where variables live, as a picture: a row for each variable, a column for each site of the residual stream."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from peabench.mechanism import SiteAddress
from peabench_leaderboard.site import figures
from peabench_leaderboard.site.drawing import element, group, line, picture, shortened, text, titled
from peabench_leaderboard.site.variable_answers import VariableOverlay, VariablePlaces

CELL = 30.0
COLUMN = 74.0
LEFT, TOP, MARGIN = 120.0, 34.0, 10.0
MOST_SITES = 24
LONGEST_LABEL = 14


def variable_picture(
    places: Sequence[VariablePlaces],
    asked: Sequence[str],
    sites: Iterable[str],
    overlays: Sequence[VariableOverlay] = (),
) -> Markup:
    """Certified sites of every variable, and scorers' answers over them, hidden until they are asked for.

    Args:
        places: the truth.
        asked: the variables that the track asks about; they stand first.
        sites: all sites of the residual stream; beyond 24 only those that the truth or an answer names are drawn.
        overlays: what scorers answered.
    """
    rows = sorted(places, key=lambda place: (place.variable not in asked, place.sites and site_order(place.sites[0])))
    columns = _columns(places, sites, overlays)
    row_of = {place.variable: i for i, place in enumerate(rows)}
    column_of = {site: i for i, site in enumerate(columns)}

    def at(variable: str, site: str) -> tuple[float, float]:
        return LEFT + COLUMN * (column_of[site] + 0.5), TOP + CELL * (row_of[variable] + 0.5)

    width, height = LEFT + COLUMN * len(columns) + MARGIN, TOP + CELL * len(rows) + MARGIN
    several = len({SiteAddress.parse(site).position for site in columns}) > 1
    content = [
        text(
            (LEFT + COLUMN * (i + 0.5), 20),
            site if several else site.partition("@")[0],
            class_="layer",
            text_anchor="middle",
        )
        for i, site in enumerate(columns)
    ]
    for place in rows:
        y = TOP + CELL * (row_of[place.variable] + 0.5)
        weight = "asked" if place.variable in asked else "beside"
        content.append(line((LEFT, y), (width - MARGIN, y), class_="stream"))
        content.append(
            text(
                (LEFT - 12, y + 4),
                shortened(place.variable, LONGEST_LABEL),
                class_=f"variable-name {weight}",
                text_anchor="end",
            )
        )
        for site in place.sites:
            x, y = at(place.variable, site)
            square = element("rect", x=x - 11, y=y - 11, width=22, height=22, rx=4, class_="certified")
            content.append(titled(square, f"{place.variable} is certified at {site}"))
    for overlay in overlays:
        drawn = [
            mark
            for answer in overlay.marks
            if answer.variable in row_of
            for mark in (
                *(_missed(*at(answer.variable, site), f"{answer.variable}: {site} missed") for site in answer.missed),
                _answered(
                    *at(answer.variable, answer.site),
                    answer.kind,
                    answer.overlap,
                    describe(answer.variable, answer.site, answer.overlap),
                ),
            )
        ]
        content.append(group(drawn or [Markup("<desc>nothing</desc>")], class_="overlay", data_answer=overlay.key))
    description = (
        f"{len(rows)} variables by {len(columns)} sites. Squares mark certified sites. The list below names them."
    )
    return picture("variables", (width, height), "Where variables live", description, content, "variables")


def describe(variable: str, site: str, overlap: float) -> str:
    """An answer in words."""
    return f"{variable} put at {site}, overlap {figures.short_score(overlap)}"


def site_order(site: str) -> tuple[int, int]:
    """Sort key of sites of the residual stream: depth, then position; others come last."""
    address = SiteAddress.parse(site)
    depth = address.place if isinstance(address.place, int) else 1 << 20
    return depth, address.position if isinstance(address.position, int) else -1


def _columns(places: Sequence[VariablePlaces], sites: Iterable[str], overlays: Sequence[VariableOverlay]) -> list[str]:
    named = {site for place in places for site in place.sites}
    named |= {answer.site for overlay in overlays for answer in overlay.marks}
    everything = named | set(sites)
    return sorted(everything if len(everything) <= MOST_SITES else named, key=site_order)


def _answered(x: float, y: float, kind: str, overlap: float, told: str) -> Markup:
    if kind == "false":
        shape = element(
            "path",
            d=f"M{x - 7:.1f} {y - 7:.1f}L{x + 7:.1f} {y + 7:.1f}M{x + 7:.1f} {y - 7:.1f}L{x - 7:.1f} {y + 7:.1f}",
            class_="mark",
        )
    else:
        radius = 7.0
        shape = group(
            [
                element("circle", cx=x, cy=y, r=radius, class_="mark"),
                element("circle", cx=x, cy=y, r=radius * overlap**0.5, class_="core"),
            ]
        )
    return titled(shape, told, class_=kind)


def _missed(x: float, y: float, told: str) -> Markup:
    return titled(element("rect", x=x - 14, y=y - 14, width=28, height=28, rx=6, class_="mark"), told, class_="missed")
