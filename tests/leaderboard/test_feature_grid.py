"""The features of a site as a picture: every cosine in its place and shade, every rate as a bar."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import hand_features
import pytest
import torch

from peabench.feature_geometry import MOST_DRAWN, SiteGeometry, feature_geometry
from peabench_leaderboard.site.feature_grid import CELL, LEFT, LEVELS, TOP, feature_grid, nearest_to


@pytest.fixture(scope="module")
def geometry(tmp_path_factory: pytest.TempPathFactory) -> SiteGeometry:
    task = hand_features.save_shapes(tmp_path_factory.mktemp("shapes"))
    (site,) = feature_geometry(task.mechanism, task.record.domain)
    return site


def drawn(geometry: SiteGeometry) -> Element:
    return fromstring(feature_grid("features-0", geometry))


def shades(picture: Element, count: int) -> torch.Tensor:
    """The level of each square, read off the paths."""
    found = torch.zeros(count, count)
    for path in picture.iter("path"):
        level = int(path.attrib["class"].removeprefix("level-"))
        for x, y in re.findall(r"M([\d.]+) ([\d.]+)", path.attrib["d"]):
            found[round((float(y) - TOP) / CELL), round((float(x) - LEFT) / CELL)] = level
    return found


def test_each_square_has_the_shade_of_its_cosine(geometry: SiteGeometry) -> None:
    mixed = SiteGeometry(**{**vars(geometry), "cosines": torch.rand(7, 7, generator=torch.Generator().manual_seed(0))})
    for one in (geometry, mixed):
        assert torch.equal(shades(drawn(one), 7), (one.cosines * LEVELS).round().float())


def test_bars_are_as_long_as_features_fire_often(geometry: SiteGeometry) -> None:
    bars = [bar for bar in drawn(geometry).iter("rect") if bar.attrib["class"].startswith("rate")]
    lengths = torch.tensor([float(bar.attrib["width"]) for bar in bars])
    expected = geometry.rates / geometry.rates.max() * lengths.max()
    torch.testing.assert_close(lengths.double(), expected, atol=0.1, rtol=0)
    assert [bar.attrib["class"] for bar in bars] == ["rate asked"] * 6 + ["rate beside"]


def test_names_stand_in_rows_with_words_for_who_cannot_see_them(geometry: SiteGeometry) -> None:
    titles = [title.text or "" for title in drawn(geometry).iter("title")]
    assert [title.split(" fires on ")[0] for title in titles[1:]] == list(geometry.names)
    assert nearest_to(geometry, 2) == (nearest_to(geometry, 2)[0], float(geometry.cosines[2].sort().values[-2]))


def test_of_many_features_the_most_frequent_are_drawn(tmp_path: Path) -> None:
    rates = tuple(0.3 - 0.004 * i for i in range(60))
    task = hand_features.save_independent(tmp_path, hand_features.slanted(60, 20), rates)
    (site,) = feature_geometry(task.mechanism, task.record.domain)
    names = [name.text for name in drawn(site).iter("text") if name.attrib["class"].startswith("feature-name")]
    assert len(names) == MOST_DRAWN
    assert names == [site.names[i] for i in site.shown]
    assert float(site.rates[site.shown].min()) >= float(site.rates.sort(descending=True).values[MOST_DRAWN - 1])


def test_a_feature_alone_has_no_nearest() -> None:
    alone = SiteGeometry("resid.0@0", 4, ("x0",), 1, torch.ones(1, 1), torch.tensor([0.2]), (), {})
    assert nearest_to(alone, 0) == ("", 0.0)
    assert shades(drawn(alone), 1).tolist() == [[LEVELS]]
