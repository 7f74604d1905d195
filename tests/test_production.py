"""Making tasks: which are wanted, that each begins anew if it fails, and that no network depends on any other."""

from collections.abc import Callable

import pytest
import torch

from peabench.errors import PeabenchError
from peabench.networks import ResidualMLP
from peabench_tasks.attributes.planting import Planter, finished
from peabench_tasks.attributes.specifications import Specification as AttributesSpecification
from peabench_tasks.attributes.training import LEARNING_RATE, MENDING_RATE, SIFTED, plant
from peabench_tasks.codes import free_training as codes
from peabench_tasks.codes.specifications import Specification, specifications
from peabench_tasks.codes.training import trained as trained_codes
from peabench_tasks.production import from_several_starts, matching
from peabench_tasks.superposition import free_training as superposition
from peabench_tasks.superposition.specifications import Specification as SuperpositionSpecification
from peabench_tasks.superposition.training import trained as trained_superposition


def planted(seed: int) -> ResidualMLP:
    specification = AttributesSpecification("magnitude", "xs", seed)
    lexicon, config = specification.lexicon(), specification.config()
    planter = Planter.begin(lexicon, specification.queries(0), config, specification.weight_seed(0))
    plant(planter, 20, LEARNING_RATE)
    plant(planter, 20, MENDING_RATE, SIFTED)
    return finished(planter, lexicon, config)[0]


@pytest.mark.parametrize(
    "train",
    [
        planted,
        lambda seed: trained_codes(Specification("narrow", "xs", seed), 1, 0),
        lambda seed: trained_superposition(SuperpositionSpecification("zipf", "xs", seed), 1, 0),
    ],
    ids=["attributes", "codes", "superposition"],
)
def test_a_network_is_the_same_whatever_was_trained_before_it(
    train: Callable[[int], ResidualMLP], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "STEPS", 40)
    monkeypatch.setattr(superposition, "STEPS", 40)
    alone = train(2)
    torch.rand(3)
    other, again = train(1), train(2)
    for name, weight in alone.named_parameters():
        assert torch.equal(weight, again.get_parameter(name)), name
    assert not torch.equal(alone.w_embed, other.w_embed)


def test_globs_over_names_and_ids_say_which_tasks_are_wanted() -> None:
    assert len(matching("codes", specifications(), None)) == 36
    by_name, by_id = (matching("codes", specifications(), only) for only in ("narrow-s-*", "codes/narrow-s-*"))
    assert [s.name for s in by_name] == [s.name for s in by_id] == ["narrow-s-0", "narrow-s-1", "narrow-s-2"]
    with pytest.raises(PeabenchError, match=r"No task of the codes family matches 'nonsense'; try 'pairs-xs-0'\."):
        matching("codes", specifications(), "nonsense")


@pytest.mark.parametrize(("good", "expected"), [(1, (1, [])), (3, (1, ["narrow-xs-2: start 2 is wrong"]))])
def test_a_task_begins_anew_until_it_is_finished_or_given_up(good: int, expected: tuple[int, list[str]]) -> None:
    specification = Specification("narrow", "xs", 2)
    starts = list[int]()

    def trained(wanted: Specification, start: int) -> ResidualMLP:
        assert wanted is specification
        starts.append(start)
        return ResidualMLP(wanted.network)

    def finish(wanted: Specification, network: ResidualMLP) -> str | None:
        return None if starts[-1] == good else f"start {starts[-1]} is wrong"

    assert from_several_starts(specification, 3, trained, finish) == expected
    assert starts == list(range(min(good + 1, 3)))
