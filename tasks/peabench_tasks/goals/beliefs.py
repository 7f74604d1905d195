"""Where does it want to go? Tasks of the track `beliefs`: the goal of a policy is the state that is asked about."""

from dataclasses import dataclass, replace

from peabench.domain import ProductDomain
from peabench.mechanism import CausalModel
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.audits.audit import Audit
from peabench_tasks.board.specifications import DIFFICULTY, SHADOW
from peabench_tasks.units.codes import dimension
from peabench_tasks.units.plan import Plan, draw_plan

EXAMPLES = {"decoy": 256, "few": 64}
STRENGTHS = 0.5, 1.0
"""Of what the policy computes, and of a second account of its goal that it does not read."""
N_BLOCKS = 5
REST = 4
"""Directions of the residual stream that hold no variable."""


@dataclass(frozen=True)
class Followed:
    """One task."""

    family: str
    audit: Audit
    """Which policies there are on the board."""
    departs: str | None
    """Which of them the network follows; None is the one that goes where the lamp says."""
    variant: str
    seed: int
    size: str = "xs"

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    def state(self) -> str:
        """The variable that holds where the policy wants to go."""
        return self.model.inner[-1]

    @property
    def model(self) -> CausalModel:
        """The policy."""
        return self.audit.model(self.departs)

    @property
    def domain(self) -> ProductDomain:
        """Every board."""
        return self.audit.domain

    @property
    def difficulty(self) -> str:
        """Why the goal is hard to find."""
        return DIFFICULTY[self.variant]

    @property
    def examples(self) -> int:
        """How many boards a scorer is shown."""
        return EXAMPLES[self.variant]

    @property
    def network(self) -> ResidualMLPConfig:
        """As narrow as holds all variables."""
        kinds = [*self.model.kinds.values(), self.model.kinds[self.state]]
        return self.audit.network.model_copy(
            update={"d_model": sum(map(dimension, kinds)) + REST, "n_blocks": N_BLOCKS, "n_units": 2}
        )

    def plan(self, seed: int) -> Plan:
        """Where the variables go, and a second account of the goal that nobody reads."""
        shadow = self.model.variable(self.state).model_copy(update={"name": SHADOW})
        *inner, answer = self.model.variables
        bait = CausalModel(variables=(*inner, shadow, answer), output=self.model.output)
        return replace(draw_plan(self.model, bait, self.network, seed, STRENGTHS), alarm=None)
