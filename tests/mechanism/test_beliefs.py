"""Claims of beliefs: what they may say, and that they come back from their files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from believing_networks import CONFIG, PROCESS, filter_mechanism, parity_model, read_out, save_filter
from pydantic import ValidationError

from peabench.errors import PeabenchError
from peabench.mechanism import Beliefs, Mechanism, Readout, TensorReference
from peabench.tasks import load_task


def test_a_claim_comes_back_from_its_files(tmp_path: Path) -> None:
    mechanism = filter_mechanism(torch.linalg.qr(torch.randn(CONFIG.d_model, 5)).Q)
    mechanism.save(tmp_path)
    again = Mechanism.load(tmp_path)
    assert again.model_dump() == mechanism.model_dump()
    assert again.beliefs is not None
    for part in ("matrix", "offset"):
        reference = getattr(again.beliefs.readout, part)
        assert torch.equal(again.tensor(reference), mechanism.tensor(reference))


def readout(site: str = "resid.1@*", states: int = 5, offset: int | None = None) -> Readout:
    return Readout(
        site=site,
        matrix=TensorReference(name="matrix", shape=(CONFIG.d_model, states)),
        offset=TensorReference(name="offset", shape=(states if offset is None else offset,)),
    )


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "expected either a process or a variable, got both or neither"),
        ({"process": PROCESS, "variable": "v"}, "expected either a process or a variable, got both or neither"),
        ({"process": PROCESS, "readout": readout(states=4)}, "expected 5 numbers, one for each hidden state, got 4"),
        ({"process": PROCESS, "alternatives": (readout("resid.2@3"),)}, "read-outs of the same positions"),
    ],
)
def test_what_is_no_claim_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Beliefs.model_validate({"readout": readout()} | fields)


def test_a_read_out_is_affine_and_of_the_residual_stream() -> None:
    with pytest.raises(ValidationError, match="expected a site of the residual stream, got"):
        readout("block0.mlp@0")
    with pytest.raises(ValidationError, match="expected an offset of 5 numbers, as the matrix has columns, got 4"):
        readout(offset=4)


@pytest.mark.parametrize(("variable", "width"), [("v", 2), ("nobody", 1)])
def test_a_variable_has_a_number_for_each_value(variable: str, width: int) -> None:
    found, _ = read_out("resid.1@0", torch.zeros(10, width), torch.zeros(width))
    with pytest.raises(ValidationError, match="expected a variable of the causal model"):
        Mechanism(
            provenance="constructed",
            causal_model=parity_model(),
            beliefs=Beliefs(variable=variable, readout=found),
        )


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"causal": False}, "expected a causal transformer with a logit for each of 2 tokens"),
        ({"d_output": 3}, "expected a causal transformer with a logit for each of 2 tokens"),
        ({"d_model": 8}, "expected a matrix of 8 rows at resid.1"),
    ],
)
def test_a_claim_that_does_not_fit_the_network_is_refused(
    tmp_path: Path, config: dict[str, Any], complaint: str
) -> None:
    task = save_filter(tmp_path)
    network = task.record.network.model_copy(update=config)
    (tmp_path / "task.json").write_text(task.record.model_copy(update={"network": network}).model_dump_json())
    with pytest.raises(PeabenchError, match=complaint):
        _ = load_task(tmp_path).mechanism
