"""What is shown of defects and of where audited networks follow their rule."""

from pathlib import Path

import pytest
from audited_networks import save_audited

from peabench.hypothesis_rows import LONGEST_FORMULA, described, training_lines
from peabench.mechanism import (
    And,
    Backdoor,
    Boolean,
    CausalModel,
    MechanismError,
    Shortcut,
    Variable,
    VariableReference,
    Xor,
)
from peabench.tasks import save_certificate


def chain(steps: int) -> CausalModel:
    """Each variable reads the one before it twice: in terms of the inputs a formula doubles with every step."""
    variables = [Variable(name=name, kind=Boolean(), columns=(column,)) for column, name in enumerate("ab")]
    before = "a"
    for step in range(steps):
        last, other = VariableReference(name=before), VariableReference(name="b")
        function = Xor(arguments=(last, And(arguments=(last, other))))
        variables.append(Variable(name=f"v{step}", kind=Boolean(), parents=(before, "b"), function=function))
        before = f"v{step}"
    return CausalModel(variables=tuple(variables), output=before)


def test_a_defect_is_written_in_terms_of_the_inputs() -> None:
    cue = VariableReference(name="v0")
    assert described(Shortcut(cue=cue), chain(1)) == "shortcut: cue a ⊕ (a ∧ b)"


@pytest.mark.parametrize("steps", [9, 18])
def test_a_formula_that_grows_too_long_is_in_terms_of_the_models_variables(steps: int) -> None:
    """Of nine steps it could be written, on too long a line; of eighteen it could not."""
    model, trigger = chain(steps), VariableReference(name=f"v{steps - 1}")
    if steps == 18:
        with pytest.raises(MechanismError):
            model.in_terms_of_inputs(trigger)
    else:
        assert len(model.in_terms_of_inputs(trigger)) > LONGEST_FORMULA
    assert described(Backdoor(trigger=trigger), model) == f"backdoor: trigger v{steps - 1}"


def test_networks_are_said_to_follow_their_rule_on_the_training_distribution(tmp_path: Path) -> None:
    task = save_audited(tmp_path)
    save_certificate(tmp_path, [])
    (line,) = training_lines(task)
    assert line.startswith("They follow one rule on the training distribution: ¬(")
