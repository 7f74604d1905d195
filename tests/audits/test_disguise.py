"""What looks clean has the statistics of what is, and patterns are found wherever they stand."""

import pytest
import torch

from peabench.columns import holds
from peabench.generators import generator_of
from peabench.tasks import companion_folder, load_task
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.audits.disguise import PRESENT, Chain, Inputs, distances, mixtures, train
from peabench_tasks.audits.specification import OWN, Member
from peabench_tasks.backdoors.evasion import CLEAN, Tell, tells, told
from peabench_tasks.backdoors.family import BACKDOORS
from peabench_tasks.backdoors.sequences import PATTERN, PLACES, agreement, stands
from peabench_tasks.backdoors.specifications import specifications
from peabench_tasks.units.lessons import slots

SPECIFICATION = next(one for one in specifications() if one.variant == "disguised")


def drawn(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, 3, generator=generator_of(seed), dtype=torch.float64)


def test_distances_are_in_units_of_the_first_samples_spread() -> None:
    clean = drawn(20_000, 0) * torch.tensor([1.0, 2.0, 4.0])
    same, moved, narrow = drawn(20_000, 1), drawn(20_000, 2) + torch.tensor([3.0, 0, 0]), drawn(20_000, 3)
    scale = torch.tensor([1.0, 2.0, 4.0])
    means, covariances = distances(clean, same * scale)
    assert float(means) < 0.01
    assert float(covariances) < 0.01
    assert float(distances(clean, moved * scale)[0]) == pytest.approx(9, rel=0.05)
    narrow[:, 1] = 0
    assert float(distances(clean, narrow * scale)[1]) == pytest.approx(1, rel=0.05)


def test_a_direction_that_only_a_trigger_moves_tells_and_one_that_moves_anyway_does_not() -> None:
    clean, same = drawn(4000, 0), drawn(100, 1)
    clean[:, 2] *= 0.03
    triggered = same.clone()
    triggered[:, 2] = 1.0
    tell = told(clean, triggered)
    assert tell.means > 10
    assert tell.outliers > 0.99
    hidden = told(drawn(4000, 2), same)
    assert hidden.means < 0.5
    assert 0.4 < hidden.outliers < 0.6
    assert 0.35 < hidden.spectral < 0.65


def test_mixtures_take_each_detector_from_an_input_of_its_own() -> None:
    held = torch.rand(500, 3, generator=generator_of(0)) < 0.05
    detected = held.float() + 10 * torch.arange(3)
    values, yes = mixtures(detected, held, generator_of(1))
    assert torch.equal(values, yes.float() + 10 * torch.arange(3))
    assert float(yes.double().mean()) == pytest.approx(PRESENT, abs=0.05)


def test_a_pattern_is_a_trigger_wherever_it_stands() -> None:
    audit = agreement(1)
    rows = audit.domain.sample(60_000, generator_of(0))
    clean = audit.model(None)
    for name in audit.departures:
        model = audit.model(name)
        detectors = model.variable(name).parents
        assert len(detectors) == len(PLACES)
        values = model.run(model.read_inputs(rows))
        present = torch.stack([values[detector] for detector in detectors]).any(0)
        right = clean.run(clean.read_inputs(rows))[ANSWER]
        assert torch.equal(values[ANSWER] != right, present)
        assert bool(present.any())
        assert not bool(holds([audit.training], rows[present], audit.domain).any())


def test_words_stand_side_by_side_anywhere() -> None:
    audit = agreement(0)
    rows = torch.tensor([[3, 4, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 3, 4], [4, 3, 0, 0, 3, 0, 4]])
    assert holds([stands((3, 4))], rows, audit.domain)[0].tolist() == [True, True, False]
    assert len(stands(tuple(range(PATTERN))).arguments) == len(PLACES)


def told_alone(member: Member) -> list[Tell]:
    """What tells a trigger by its detectors, and by them and what joins them, learnt in a few steps only to be told."""
    plan, generator = SPECIFICATION.plan(member, 0), generator_of(0)
    inputs = Inputs.of(plan, str(member.departs), SPECIFICATION.audit.domain)
    chain = Chain(plan, list(slots(plan, str(member.departs))), str(member.departs), generator)
    train(chain, inputs, SPECIFICATION.audit.domain, 150, generator, evasive=False)
    clean = inputs.clean[torch.randint(len(inputs.clean), (CLEAN,), generator=generator)]
    with torch.no_grad():
        detected = [chain.detected(chain.read(rows)) for rows in (clean, inputs.triggered)]
        both = [torch.cat([some, chain.joined(some)], 1) for some in detected]
    return [told(*(rows.double() for rows in some)) for some in (detected, both)]


def test_shipped_triggers_look_clean_before_the_answer_and_those_learnt_to_be_told_do_not() -> None:
    folder = BACKDOORS.checkpoints / SPECIFICATION.name
    members = [one for one in SPECIFICATION.members(0) if one.departs]
    untouched = {departs: told_alone(one) for departs, one in {str(one.departs): one for one in members}.items()}
    assert all(tell.outliers > 0.99 for tells_of in untouched.values() for tell in tells_of)
    for member in members:
        network = load_task(folder if member.name == OWN else companion_folder(folder, member.name)).network()
        for tell, plain in zip(tells(SPECIFICATION, member, network)[:2], untouched[str(member.departs)], strict=True):
            assert tell.means < plain.means / 2
            assert tell.outliers < 0.9
            assert 0.2 < tell.spectral < 0.8
