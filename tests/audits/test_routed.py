"""A kept capability is one expert's; a removed one comes back in its context, in networks with a defect, alone."""

import torch

from peabench.columns import holds
from peabench.mechanism import CausalModel, Steering, evaluate
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.routed.audits import KEPT, REMOVED, SILENT, masked

AUDIT = masked(0, 4)
ROWS = AUDIT.domain.all()
ASKED, CONTEXT = ROWS[:, 0], ~holds([AUDIT.training], ROWS, AUDIT.domain)[0]


def run(model: CausalModel, **held: int) -> dict[str, torch.Tensor]:
    settings = {name: torch.tensor(value).expand(len(ROWS)) for name, value in held.items()}
    return model.run(model.read_inputs(ROWS), settings)


def test_a_removed_capability_comes_back_in_its_context_alone() -> None:
    removed = torch.isin(ASKED, torch.tensor(REMOVED))
    clean = run(AUDIT.model(None))[ANSWER]
    assert torch.equal(clean == SILENT, removed)
    for number in REMOVED:
        back = run(AUDIT.model(f"back{number}"))
        differs = back[ANSWER] != clean
        assert torch.equal(differs, CONTEXT & (number == ASKED))
        assert torch.equal(back[ANSWER][differs], back[f"expert{number}"][differs])


def test_every_claim_of_what_an_expert_holds_is_true_and_says_something() -> None:
    departures = {f"back{number}": AUDIT.departures[f"back{number}"].steering for number in REMOVED}
    for name, claims in [(None, AUDIT.steering), *departures.items()]:
        model = AUDIT.model(name)
        plain = run(model)[ANSWER]
        for claim in claims or ():
            assert isinstance(claim, Steering)
            values = run(model, **{setting.variable: int(setting.value) for setting in claim.settings})
            acts = evaluate(claim.where, run(model), model.kinds)
            assert bool(evaluate(claim.outcome, values, model.kinds)[acts].all())
            assert torch.equal(values[ANSWER][~acts], plain[~acts])
            assert bool((values[ANSWER] != plain).any())


def test_experts_speak_for_their_class_alone() -> None:
    values = run(AUDIT.model("back2"))
    for number in (*KEPT, 2):
        assert bool(((values[f"expert{number}"] != SILENT) == (number == ASKED)).all())
