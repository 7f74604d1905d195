"""Which tasks a sealed suite has, and that their order and names tell nothing."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare, spearmanr

from peabench.errors import PeabenchError
from peabench.registry import families
from peabench.sealing import Lot, draw_lots

KINDS = ["boolean/*-s", "boolean/*-m"]


def order(lots: list[Lot]) -> list[int]:
    """Number of each lot's kind among all kinds, by place."""
    kinds = sorted({lot.kind for lot in lots})
    return [kinds.index(lot.kind) for lot in lots]


def rank_correlations(orders: list[list[int]]) -> float:
    """Mean correlation of a task's number with its kind's: the attack on an order that was not shuffled."""
    return float(np.mean([spearmanr(range(len(kinds)), kinds).statistic for kinds in orders]))


def test_the_default_kinds_come_once_each_in_both_sizes() -> None:
    lots = draw_lots(b"s" * 32, "sealed-1", KINDS, 1)
    assert Counter(lot.size for lot in lots) == {"s": 7, "m": 7}
    assert len({lot.kind for lot in lots}) == len({lot.key for lot in lots}) == 14


def test_numbers_tell_nothing_of_kinds_though_an_unshuffled_order_would() -> None:
    shuffled = [order(draw_lots(bytes([i] * 32), "sealed-1", KINDS, 2)) for i in range(150)]
    assert abs(rank_correlations(shuffled)) < 0.05  # one has a standard deviation of .19, their mean of .016
    assert rank_correlations([sorted(kinds) for kinds in shuffled]) > 0.9
    first = Counter(kinds[0] for kinds in shuffled)
    assert chisquare([first[kind] for kind in range(14)]).pvalue > 1e-4


def test_the_same_secret_gives_the_same_lots_and_another_gives_others() -> None:
    one, again, other = (draw_lots(secret * 32, "sealed-1", KINDS, 1) for secret in (b"a", b"a", b"b"))
    assert one == again
    assert not {lot.key for lot in one} & {lot.key for lot in other}
    assert not {lot.key for lot in one} & {lot.key for lot in draw_lots(b"a" * 32, "sealed-2", KINDS, 1)}


def test_ids_are_neutral() -> None:
    lots = draw_lots(b"s" * 32, "sealed-2026a", KINDS, 1)
    assert [lot.id for lot in lots] == [f"sealed_2026a/task-{lot.size}-{i}" for i, lot in enumerate(lots)]


@pytest.mark.parametrize("name", ["Sealed", "a_b", "a--b", "-a", "", "../x", "a/b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(PeabenchError, match="cannot be a suite's name"):
        draw_lots(b"s" * 32, name, KINDS, 1)


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PeabenchError, match="'boolean/tre-s'; did you mean boolean/tree-s"):
        draw_lots(b"s" * 32, "sealed-1", ["boolean/tre-s"], 1)


def test_a_family_that_cannot_draw_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = replace(families()["boolean"], name="closed", drawing=None)
    monkeypatch.setattr("peabench.sealing.lots.families", lambda: families() | {"closed": closed})
    with pytest.raises(PeabenchError, match=r"^The family closed cannot draw fresh tasks from a secret, as [^.]*\.$"):
        draw_lots(b"s" * 32, "sealed-1", ["closed/*"], 1)
    assert len(draw_lots(b"s" * 32, "sealed-1", ["*/*-s"], 1)) == 7  # a general pattern passes it by
