"""Data in a script file."""

import json

from hypothesis import given
from hypothesis import strategies as st

from peabench_leaderboard.site.script_data import script

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=8
)


@given(VALUES)
def test_a_script_holds_its_value_and_nothing_that_ends_a_script(value: object) -> None:
    text = script("DATA", {"value": value})
    assert not set(text) & set("<>&\u2028\u2029")
    assert text.count("\n") == 1
    assert json.loads(text.removeprefix("window.DATA=").removesuffix(";\n")) == {"value": value}
