"""The published JSON Schema is the one that the models have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from peabench.mechanism import json_schema
from peabench.mechanism.schema import main

COMMITTED = Path(__file__).parents[2] / "docs" / "mechanism.schema.json"


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == json_schema(), (
        "run: python -m peabench.mechanism.schema docs/mechanism.schema.json"
    )


def test_the_command_writes_the_schema(tmp_path: Path) -> None:
    assert main([str(tmp_path / "schema.json")]) == 0
    schema = json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"provenance", "causal_model"}


def test_a_wrong_call_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "expected one argument" in capsys.readouterr().err
