"""Answers of the variables track over the truth."""

import pytest
import torch

from peabench.catalogue import installed_tasks, select
from peabench.mechanism import Mechanism
from peabench.tasks import load_task
from peabench.tracks.locations import residual_locations
from peabench_leaderboard.site.variable_answers import certified_places, variable_overlay


@pytest.fixture(scope="module")
def mechanism() -> Mechanism:
    return load_task(select(installed_tasks(), ["boolean/tree-xs-0"])[0].folder).mechanism


def test_the_truth_is_found_with_full_overlap(mechanism: Mechanism) -> None:
    site, basis = residual_locations(mechanism, "g1")[0]
    (mark,) = variable_overlay("k", "l", mechanism, ["g1"], [{"site": site, "basis": basis}], [1.0]).marks
    assert (mark.kind, mark.missed, mark.score) == ("found", (), 1.0)
    assert mark.overlap == pytest.approx(1)


def test_a_direction_at_right_angles_is_found_without_overlap(mechanism: Mechanism) -> None:
    site, basis = residual_locations(mechanism, "g1")[0]
    other = torch.linalg.qr(torch.cat([basis, torch.randn(len(basis), 1)], 1)).Q[:, -1:]
    (mark,) = variable_overlay("k", "l", mechanism, ["g1"], [{"site": site, "basis": other}], [None]).marks
    assert mark.overlap == pytest.approx(0, abs=1e-6)


def test_a_site_that_is_not_certified_misses_all_that_are(mechanism: Mechanism) -> None:
    certified = next(place.sites for place in certified_places(mechanism) if place.variable == "g1")
    answer = {"site": "resid.3@0", "basis": None}
    (mark,) = variable_overlay("k", "l", mechanism, ["g1"], [answer], [0.0]).marks
    assert (mark.kind, mark.overlap, mark.missed) == ("false", 0.0, certified)


def test_a_whole_site_overlaps_by_the_share_of_its_dimensions(mechanism: Mechanism) -> None:
    site, basis = residual_locations(mechanism, "g1")[0]
    (mark,) = variable_overlay("k", "l", mechanism, ["g1"], [{"site": site, "basis": None}], [0.0]).marks
    assert mark.overlap == pytest.approx(basis.shape[1] / basis.shape[0])
