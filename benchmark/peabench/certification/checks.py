"""What a certificate holds: checks with their cases, errors, exact upper bounds and nulls."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from scipy.special import betaincinv

Count = Annotated[int, Field(ge=0)]


class NullCheck(BaseModel):
    """The same check where the claim is false, to show that it can fail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    cases: Count
    errors: Count


class Check(BaseModel):
    """One claim about a network, tested."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    claim: str
    cases: Count
    errors: Count
    exhaustive: bool
    """Whether the cases are all there are."""
    upper_bound: Annotated[float, Field(ge=0, le=1)]
    """Clopper-Pearson 95% upper bound of the error rate; the rate itself where exhaustive."""
    null: NullCheck | None = None
    bar: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Upper bound of the error rate at which it still passes; 0: not one error."""
    passed: bool
    recorded: dict[str, float] = {}
    """Figures that are recorded and not judged, such as how often each dropped edge breaks the output."""


def upper_bound(errors: int, cases: int, exhaustive: bool) -> float:
    """The error rate where all cases were tried, else its exact one-sided 95% Clopper-Pearson upper bound.

    >>> round(upper_bound(0, 100, exhaustive=False), 4)
    0.0295
    """
    if cases == 0:
        return 1.0
    if exhaustive or errors == cases:
        return errors / cases
    return float(betaincinv(errors + 1, cases - errors, 0.95))


def lower_bound(errors: int, cases: int) -> float:
    """The exact one-sided 95% Clopper-Pearson lower bound of an error rate.

    >>> round(lower_bound(100, 100), 4)
    0.9705
    """
    return float(betaincinv(errors, cases - errors + 1, 0.05)) if errors else 0.0


def totals(parts: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Errors and cases of all parts together."""
    return sum(errors for errors, _ in parts.values()), sum(cases for _, cases in parts.values())


def judged(
    name: str,
    claim: str,
    errors: int,
    cases: int,
    *,
    exhaustive: bool,
    null: NullCheck | None,
    bar: float = 0.0,
    recorded: dict[str, float] | None = None,
    parts: Mapping[str, tuple[int, int]] | None = None,
) -> Check:
    """A check that passes where there are cases, no errors among them (or no more than the bar allows), and errors
    beyond that on its null, which it must have.

    Where the bar allows errors, each of the parts, (errors, cases), must keep within it on its own, and its rate is
    recorded.
    """
    bound = upper_bound(errors, cases, exhaustive)
    right = errors == 0 or bound <= bar
    if bar and parts:
        right = right and all(upper_bound(*part, exhaustive) <= bar for part in parts.values())
        rates = {f"{name} wrong": round(wrong / some, 5) for name, (wrong, some) in parts.items()}
        recorded = {**(recorded or {}), **rates}
    passed = cases > 0 and right and null is not None and null.errors > bar * null.cases
    return Check(
        name=name,
        claim=claim,
        cases=cases,
        errors=errors,
        exhaustive=exhaustive,
        upper_bound=bound,
        null=null,
        bar=bar,
        passed=passed,
        recorded=recorded or {},
    )
