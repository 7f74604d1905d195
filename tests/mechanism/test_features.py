"""Features: their hierarchy must be one."""

from __future__ import annotations

import pytest

from peabench.mechanism import Constant, Feature, MechanismError, TensorReference, hierarchy
from peabench.mechanism.features import check_hierarchy


def feature(name: str, *parents: str) -> Feature:
    direction = TensorReference(name="d", shape=(4,))
    return Feature(name=name, site="resid.0", direction=direction, activation=Constant(value=1.0), parents=parents)


def test_the_hierarchy_lists_parents_before_children() -> None:
    features = (feature("animal"), feature("pet"), feature("dog", "animal", "pet"))
    check_hierarchy(features)
    assert hierarchy(features) == (("animal", "dog"), ("pet", "dog"))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((feature("a"), feature("a")), "1.name: expected a name of its own"),
        ((feature("a", "b"),), "0.parents: expected features as parents, got 'b'"),
        ((feature("a", "a"),), "0.parents: expected no cycle among parents, got a -> a"),
        ((feature("a", "b"), feature("b", "a")), "expected no cycle among parents"),
    ],
)
def test_names_and_parents_are_checked(features: tuple[Feature, ...], message: str) -> None:
    with pytest.raises(MechanismError, match=message):
        check_hierarchy(features)
