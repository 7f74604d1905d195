"""The Python of the README that loads a task, run as it stands."""

import re
import runpy
from pathlib import Path

import torch

PAGE = Path(__file__).parents[1] / "README.md"


def test_the_lines_of_the_readme_give_logits_and_the_activations_that_a_hook_sees(tmp_path: Path) -> None:
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "load_task" in b)
    (tmp_path / "lines.py").write_text(block)
    names = runpy.run_path(str(tmp_path / "lines.py"))
    logits, seen, task = names["logits"], names["seen"]["resid.2"], names["task"]
    assert list(logits.shape) == [256, 1, 1]
    assert list(seen.shape) == [256, 1, 24]
    model = task.mechanism.causal_model
    values = model.run(model.read_inputs(names["inputs"]))
    assert torch.equal(logits.flatten() > 0, values[model.output].bool())
    # What the hook saw holds the variable that the mechanism places there: a linear read-out has no error.
    (variable,) = (a.variable for a in task.mechanism.alignments if str(a.location.site) == "resid.2@0")
    truth = values[variable].double()
    rows = torch.cat([seen[:, 0], torch.ones(256, 1)], 1).double()
    predicted = rows @ torch.linalg.lstsq(rows, truth[:, None], driver="gelsd").solution
    assert torch.equal(predicted.flatten() > 0.5, truth > 0.5)
