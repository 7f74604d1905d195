"""Contrast of the sheet's colours after WCAG 2.2: 4.5 for text, 3 for what is drawn."""

import re

import pytest

from peabench_leaderboard.site.build import ASSETS

SHEET = (ASSETS / "site.css").read_text()
PAIRS = re.findall(r"(--[a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", SHEET)
LIGHT = {name: light for name, light, _ in PAIRS}
DARK = {name: dark for name, _, dark in PAIRS}
GROUNDS = ("--paper", "--raised", "--band")


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_every_colour_has_two_themes() -> None:
    assert len(PAIRS) == len(LIGHT) > 25
    assert len(re.findall(r"#[0-9a-f]{3,8}\b", SHEET)) == 2 * len(PAIRS)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("ink", ["--ink", "--muted", "--accent", "--found", "--missed", "--false", "--neutral"])
def test_text_is_readable_on_every_ground(theme: dict[str, str], ground: str, ink: str) -> None:
    assert contrast(theme[ink], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_numbers_are_readable_on_every_colour_of_the_heat_map(theme: dict[str, str]) -> None:
    for level in range(11):
        rule = re.search(rf'\[data-level="{level}"\] \{{([^}}]*)\}}', SHEET)
        ink = "--on-deep" if rule and "--on-deep" in rule[1] else "--on-light"
        assert contrast(theme[f"--h{level}"], theme[ink]) >= 4.5, level


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_heat_map_grows_steadily(theme: dict[str, str]) -> None:
    steps = [contrast(theme[f"--h{level}"], theme["--paper"]) for level in range(11)]
    assert steps == sorted(steps)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_on_filled_chips_and_nodes_is_readable(theme: dict[str, str]) -> None:
    assert contrast(theme["--paper"], theme["--accent"]) >= 4.5
    assert contrast(theme["--ink"], theme["--pea"]) >= 4.5
