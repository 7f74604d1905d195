"""Fresh tasks from a key: what is asked tells neither which way is planted nor where."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest
from scipy.stats import binomtest

from peabench.generators import NARROW
from peabench.registry import Draft, families, function_at
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.specification import OWN
from peabench_tasks.ways import drawing
from peabench_tasks.ways.drawing import ATTEMPTS, drawn, make
from peabench_tasks.ways.kinds import OF_A_KIND, OfKinds
from peabench_tasks.ways.specification import Specification
from peabench_tasks.ways.training import task_record

KINDS: dict[str, type[OfKinds]] = {
    "sparse_parity/crossed-xs": SparseParity,
    "multitask_parity/crossed-xs": MultitaskParity,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def draft(kind: str, number: int) -> Draft:
    return Draft(Path("nowhere"), kind.partition("/")[2], hashlib.sha256(f"{kind}/{number}".encode()).digest())


def fresh(kind: str, number: int, attempt: int = 0) -> Specification:
    return drawn(draft(kind, number), KINDS[kind], attempt)


@every_kind
def test_every_kind_can_be_drawn(kind: str) -> None:
    family, _, name = kind.partition("/")
    told = families()[family].drawing
    assert told is not None
    assert name in told.kinds
    assert callable(function_at(told.draw))
    members = fresh(kind, 0).members(0)
    assert members[0].name == OWN
    records = [task_record(fresh(kind, 0), 0, member) for member in members]
    assert all(record.id.startswith(f"{family}/{name.partition('-')[0]}") for record in records)
    seeds = {twin.seed for record in records for twin in record.twins}
    assert len(seeds) == len(records)
    assert all(seed is not None and seed < NARROW for seed in seeds), "torch takes no wider one"


@every_kind
def test_all_that_is_random_follows_from_the_key_and_at_full_width(kind: str) -> None:
    assert fresh(kind, 3) == fresh(kind, 3)
    assert fresh(kind, 3).members(0) == fresh(kind, 3).members(0)
    seeds = [member.seed for number in range(10) for member in fresh(kind, number).members(0)]
    assert len({seed & 0xFFFFFFFF for seed in seeds}) == len(seeds)
    assert all(seed.bit_length() == 256 for seed in seeds)
    assert fresh(kind, 3).members(0) != fresh(kind, 3, attempt=1).members(0)
    assert len({tuple(fresh(kind, number).inputs.items()) for number in range(10)}) > 5


@every_kind
def test_no_question_shows_the_causal_model(kind: str) -> None:
    assert task_record(fresh(kind, 0), 0).tracks == ("algorithms", "universality")


def coins(kind: str) -> dict[str, list[bool]]:
    """Of many tasks that ask about the same ways, what an attacker would like to know."""
    found: dict[str, list[bool]] = {"the first that is listed is the own one": [], "what is read is strong": []}
    for number in range(200):
        specification = fresh(kind, number)
        own = specification.members(0)[0]
        found["the first that is listed is the own one"].append(own.truth == specification.planted[0])
        found["what is read is strong"].append(own.strong == own.truth)
    return found


@every_kind
def test_which_way_is_the_own_one_and_which_is_strong_are_coins(kind: str) -> None:
    for tosses in coins(kind).values():
        assert binomtest(sum(tosses), len(tosses)).pvalue > 1e-3


@every_kind
def test_every_way_of_a_family_can_be_the_own_one(kind: str) -> None:
    specifications = [fresh(kind, number) for number in range(300)]
    own = Counter(specification.ways[specification.truths[0]] for specification in specifications)
    assert set(own) == {way for some in KINDS[kind].kinds for way in some}
    assert max(own.values()) < 90
    assert {OF_A_KIND * place for place in range(3)} == {specification.truths[0] for specification in specifications}


@pytest.mark.parametrize("good", [0, 2, ATTEMPTS])
def test_a_task_that_fails_is_drawn_anew_from_other_ways_and_given_up_in_the_end(
    good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Specification] = []

    def made(specification: Specification, folder: Path, seed: int, begun_by: object) -> list[str]:
        assert not folder.exists()
        folder.mkdir()
        tried.append(specification)
        return [] if len(tried) > good else ["a rival holds"]

    monkeypatch.setattr(drawing, "make_networks", made)
    asked = Draft(tmp_path / "task", "crossed-xs", bytes(32))
    problems = make(asked, SparseParity)
    assert problems == (1, [] if good < ATTEMPTS else ["a rival holds"])
    assert len({specification.key for specification in tried}) == len(tried) == min(good + 1, ATTEMPTS)
