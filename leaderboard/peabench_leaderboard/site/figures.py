"""Figures as people read them: scores, intervals, passes, seconds, bytes. `site.js` writes them in the same way."""

ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
LONG = 99.5
"""Seconds or minutes from which the next unit is used."""


def score(value: float | None) -> str:
    """Three digits, with a real minus sign.

    >>> score(0.8934), score(-0.0004), score(None)
    ('0.893', '0.000', '–')
    """
    return _fixed(value, 3)


def short_score(value: float | None) -> str:
    """Two digits."""
    return _fixed(value, 2)


def interval(bounds: tuple[float, float] | None) -> str:
    """From lower to upper bound.

    >>> interval((-0.031, 0.94))
    '−0.03 to 0.94'
    """
    return ABSENT if bounds is None else f"{_fixed(bounds[0], 2)} to {_fixed(bounds[1], 2)}"


def rank(place: int | None, bounds: tuple[int, int] | None) -> str:
    """A place and its interval, where it is not the place alone.

    >>> rank(1, (1, 2)), rank(3, (3, 3)), rank(None, None)
    ('1 (1–2)', '3', '–')
    """
    if place is None:
        return ABSENT
    return str(place) if bounds is None or bounds[0] == bounds[1] else f"{place} ({bounds[0]}\N{EN DASH}{bounds[1]})"


def count(value: float | None) -> str:
    """Two significant digits.

    >>> count(153_600.0), count(12.5), count(0.0)
    ('150k', '13', '0')
    """
    return ABSENT if value is None else _scaled(value, ((1e9, "G"), (1e6, "M"), (1e3, "k")))


def seconds(value: float | None) -> str:
    """Two significant digits, in the unit that suits.

    >>> seconds(0.0234), seconds(1.26), seconds(340.0), seconds(0.0)
    ('23 ms', '1.3 s', '5.7 min', '0 ms')
    """
    if value is None:
        return ABSENT
    for most, unit, name in ((1, 0.001, "ms"), (LONG, 1, "s"), (60 * LONG, 60, "min")):
        if value < most:
            return f"{_significant(value / unit)} {name}"
    return f"{_significant(value / 3600)} h"


def size(value: float | None) -> str:
    """Bytes to two significant digits.

    >>> size(0), size(123_456), size(5_242_880)
    ('0 B', '120 kB', '5.2 MB')
    """
    if value is None:
        return ABSENT
    return _scaled(value, ((1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (0.0, " B")))


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    rounded = float(_significant(value))
    for least, name in units:
        if rounded >= least:
            return _significant(value / (least or 1)) + name
    return _significant(value)


def _significant(value: float) -> str:
    """Two significant digits, without an exponent; a tie goes up, as in JavaScript."""
    return f"{float(f'{value * (1 + 1e-12):.2g}'):.15g}"


def _fixed(value: float | None, digits: int) -> str:
    if value is None:
        return ABSENT
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)
