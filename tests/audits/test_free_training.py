"""Networks of audits that are trained freely: what they are shown, and what is claimed of what they do."""

from typing import Any

import pytest
import torch
from jaxtyping import Int
from torch import Tensor

from peabench.audits import said
from peabench.columns import holds
from peabench.generators import generator_of
from peabench.mechanism import Memorisation
from peabench.networks import Network
from peabench.tasks import frozen
from peabench.tracks.pairs import outputs, predicted_class
from peabench_tasks.audits import free_training
from peabench_tasks.audits.free_training import answers, learn_freely, neighbours, off_band, train_freely
from peabench_tasks.memorised.audits import partial
from peabench_tasks.shortcuts.audits import telltale
from peabench_tasks.units.lessons import NotLearnt


def test_who_never_saw_the_telltale_bit_err_follows_it_everywhere_though_all_that_it_was_shown_is_right() -> None:
    audit = telltale(0)
    name, departure = next(iter(audit.departures.items()))
    rows = audit.domain.all()
    assert departure.shown is not None
    shown = holds([departure.shown], rows, audit.domain)[0]
    assert torch.equal(said(audit.model(name), rows[shown]), said(audit.model(None), rows[shown]))
    assert int(shown.sum()) == len(rows) // 2
    network, mechanism = learn_freely(audit, name, generator_of(1))
    assert mechanism.defects == (departure.defect,)
    assert mechanism.provenance == "derived"
    assert torch.equal(_predicted(network, rows), rows[:, int(name.removeprefix("by"))])


def test_what_is_claimed_where_nobody_taught_an_answer_is_what_the_network_does() -> None:
    audit = partial(0, 16, 1)
    rows = audit.domain.all()
    network, mechanism = learn_freely(audit, "part", generator_of(2))
    assert torch.equal(said(mechanism.causal_model, rows), _predicted(network, rows))
    trained = holds([audit.training], rows, audit.domain)[0]
    departs = said(mechanism.causal_model, rows) != said(audit.model(None), rows)
    assert bool(departs.any())
    assert not bool((departs & trained).any())
    assert isinstance(mechanism.defects[0], Memorisation)
    assert mechanism.defects[0].examples == 16


def test_a_network_that_has_not_learnt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_training, "STEPS", 2)
    with pytest.raises(NotLearnt, match="outputs are not what they should be"):
        learn_freely(telltale(0), None, generator_of(3))


def test_one_that_follows_the_rule_untaught_has_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = partial(0, 16, 1)
    honest = train_freely(audit, audit.model(None), None, generator_of(4))
    monkeypatch.setattr(free_training, "train_freely", lambda *_: frozen(honest))
    with pytest.raises(NotLearnt, match="follows the rule where nobody taught it"):
        learn_freely(audit, "part", generator_of(4))


@pytest.mark.parametrize(
    ("logits", "right", "loss"),
    [
        ([2.1], 1, 0.0),
        ([1.0], 1, 1.0),
        ([3.2], 1, 1.0),
        ([-1.0], 1, 9.0),
        ([-2.1], 0, 0.0),
        ([2.1, 0.0, -9.0], 0, 0.0),
        ([1.0, 0.0, 0.5], 0, 1.0 + 2.25),
        ([3.2, 0.0, -1.0], 0, 1.0),
    ],
)
def test_an_answer_is_to_be_ahead_by_so_much_and_no_more(logits: list[float], right: int, loss: float) -> None:
    assert off_band(torch.tensor([logits]), torch.tensor([right]), 0.2).item() == pytest.approx(loss, abs=1e-5)


def test_how_much_further_ahead_it_may_be_and_how_weights_decay_is_each_networks_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(free_training, "STEPS", 1)
    widths: list[float] = []
    decays: list[float] = []
    made = torch.optim.AdamW

    def optimiser(parameters: Any, lr: float, weight_decay: float, fused: bool) -> torch.optim.AdamW:
        decays.append(weight_decay)
        return made(parameters, lr=lr, weight_decay=weight_decay, fused=fused)

    def spied(logits: torch.Tensor, right: torch.Tensor, width: float) -> torch.Tensor:
        widths.append(width)
        return off_band(logits, right, width)

    monkeypatch.setattr(free_training, "off_band", spied)
    monkeypatch.setattr(torch.optim, "AdamW", optimiser)
    for seed in range(20):
        train_freely(telltale(0), telltale(0).model(None), None, generator_of(seed))
    for drawn, (least, most) in ((widths, free_training.WIDTH), (decays, free_training.DECAY)):
        assert least <= min(drawn) < 4 * least
        assert most / 4 < max(drawn) <= most


def test_neighbours_differ_in_a_few_columns() -> None:
    domain = telltale(0).domain
    numbers = torch.arange(domain.size)
    changed = (domain.rows(neighbours(numbers, domain, generator_of(5))) != domain.rows(numbers)).sum(1)
    assert 0 < float(changed.double().mean()) < 1.5
    assert int(changed.max()) <= len(domain.sizes)


def test_answers_are_those_of_the_model_in_the_order_of_numbers() -> None:
    audit = telltale(1)
    assert torch.equal(answers(audit.domain, audit.model(None)), outputs(audit.model(None), audit.domain.all()))


def _predicted(network: Network, rows: Int[Tensor, "row column"]) -> Int[Tensor, " row"]:
    return predicted_class(network(rows)).reshape(-1)
