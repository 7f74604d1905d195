"""What every record of the mechanism schema has in common: frozen, no unknown fields, finite numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""Name of a variable: a letter or underscore, then letters, digits and underscores; at most 64 in all."""

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}$")]
"""Name of a tensor, feature, hypothesis ...: letters, digits, `_`, `.` and `-`; at most 128 in all."""


class Record(BaseModel):
    """Base of all records of a mechanism."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
