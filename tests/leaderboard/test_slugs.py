"""File names from names that others chose."""

from hypothesis import given
from hypothesis import strategies as st

from peabench_leaderboard.site.slugs import slug

NAMES = st.text(max_size=80) | st.sampled_from(["a/b", "a--b", "a-b", "a~b", "..", ".", "", "con", "con.x", "A", "a"])


@given(NAMES)
def test_a_slug_is_one_plain_file_name(name: str) -> None:
    stem = slug(name)
    assert stem
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-~")
    assert not stem.startswith(".")
    assert stem.partition(".")[0] not in {"con", "nul", "aux", "prn", "com1"}
    assert len(stem) <= 140


@given(NAMES, NAMES)
def test_two_names_never_share_a_file(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


def test_plain_names_stay_readable() -> None:
    assert slug("exact-patching") == "exact-patching"
    assert slug("boolean/tree-s-0") == "boolean--tree-s-0"
