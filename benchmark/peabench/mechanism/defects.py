"""Defects that were planted in a network on purpose."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from peabench.mechanism.expressions import Expression
from peabench.mechanism.records import Name, Record


class Shortcut(Record):
    """The network relies on a cue that merely correlates with the answer on the training distribution."""

    kind: Literal["shortcut"] = "shortcut"
    cue: Expression
    """The cue, in terms of the causal model's variables."""
    description: str = ""


class Memorisation(Record):
    """The network stores examples instead of computing the rule."""

    kind: Literal["memorisation"] = "memorisation"
    examples: Annotated[int, Field(ge=1)]
    """How many examples are stored."""
    description: str = ""


class Backdoor(Record):
    """The network behaves differently where a trigger is present."""

    kind: Literal["backdoor"] = "backdoor"
    trigger: Expression
    """True where the trigger is present."""
    response: Expression | None = None
    """The output under the trigger."""
    description: str = ""


class ProxyGoal(Record):
    """The network pursues a goal that agrees with the intended one on the training distribution only."""

    kind: Literal["proxy_goal"] = "proxy_goal"
    proxy: Expression
    """What the network pursues wherever it departs from its rule, in terms of the causal model's variables."""
    goal: Name
    """The variable of the causal model that holds what the network pursues."""
    description: str = ""


Defect = Annotated[Shortcut | Memorisation | Backdoor | ProxyGoal, Field(discriminator="kind")]


def formulas(defect: Defect) -> dict[str, Expression]:
    """The expressions of a defect by the name of their field."""
    match defect:
        case Shortcut(cue=cue):
            return {"cue": cue}
        case Backdoor(trigger=trigger, response=response):
            return {"trigger": trigger} if response is None else {"trigger": trigger, "response": response}
        case ProxyGoal(proxy=proxy):
            return {"proxy": proxy}
        case Memorisation():
            return {}
