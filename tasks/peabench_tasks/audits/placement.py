"""Where the variables of an audited network go: each in the block of its depth, whether it is read or not."""

from dataclasses import dataclass
from functools import cached_property
from random import Random

from peabench.mechanism import Kind, Variable
from peabench_tasks.audits.audit import ANSWER, Audit
from peabench_tasks.units.codes import values_of
from peabench_tasks.units.plan import Plan

FAINT = 0.4


@dataclass(frozen=True)
class AuditPlan(Plan):
    """A plan whose variables are written as strongly in networks that read them as in those that do not."""

    faint: frozenset[str] = frozenset()
    """Variables that are written weakly."""
    common_seed: int = 0
    """The same for all networks of a task: which corner each value of a variable is written at."""
    beside: tuple[Variable, ...] = ()
    """Variables of which nothing is claimed."""
    anew: frozenset[str] = frozenset()
    """Variables that each network learns anew; those of a kind are written alike."""
    imitation: Variable | None = None
    """What a unit computes in place of the model's variable of that name, if it reads one of those too."""

    @cached_property
    def computed(self) -> tuple[Variable, ...]:
        """The variables that units compute, those of the model first; the answer as its unit computes it."""
        given = (*super().computed, *self.beside)
        return tuple(self.imitation if self.imitation and v.name == self.imitation.name else v for v in given)

    def strength(self, name: str) -> float:
        """How strongly a variable is written."""
        return FAINT if name in self.faint else 1.0

    @cached_property
    def orders(self) -> dict[str, tuple[int, ...]]:
        """The corner of each value, in order for inputs and the answer; alike in all networks of a task."""
        inner = {variable.name for variable in self.computed} - {ANSWER}
        return {name: self._order(name) if name in inner else in_order(kind) for name, kind in self.kinds.items()}

    def _order(self, name: str) -> tuple[int, ...]:
        corners = in_order(self.kinds[name])
        drawn_for = f"{len(corners)} values" if name in self.anew else name
        return tuple(Random(f"corners/{self.common_seed}/{drawn_for}").sample(corners, len(corners)))


def in_order(kind: Kind) -> tuple[int, ...]:
    """The first corner for the first value, and so on."""
    return tuple(range(values_of(kind)))


def draw_audit_plan(
    audit: Audit, departs: str | None, seed: int, common_seed: int, *, imitates: str, faint: bool, alone: bool
) -> AuditPlan:
    """A network that follows the rule or departs from it. What is free in it is which unit computes what.

    Args:
        audit: what the task's networks may compute.
        departs: a departure from the rule, or None.
        seed: of places, and later of directions.
        common_seed: of what all networks of the task have in common.
        imitates: a departure: its own, or of a network that follows the rule the one that it imitates, if it does.
        faint: whether what departures need is written weakly.
        alone: whether nothing is computed that is not read.
    """
    model = audit.model(departs)
    bystanders = () if alone else audit.bystanders(departs)
    beside = audit.unclaimed(departs)
    rng = Random(f"audit/{seed}")
    free = {block: rng.sample(range(audit.network.n_units), audit.network.n_units) for block in range(audit.n_blocks)}
    computed = [v for v in (*model.variables, *bystanders, *beside) if v.function is not None]
    units = {v.name: (audit.depth(v), free[audit.depth(v)].pop()) for v in rng.sample(computed, len(computed))}
    imitation = audit.departures[imitates].imitation
    needed = {variable.name for departure in audit.departures.values() for variable in departure.computed}
    return AuditPlan(
        model=model,
        bystanders=bystanders,
        config=audit.network,
        units=units,
        strengths=(1.0, 1.0),
        seed=seed,
        faint=frozenset(needed) if faint else frozenset(),
        common_seed=common_seed,
        beside=beside,
        anew=audit.anew,
        imitation=None if imitation is None or (departs and imitation.name == ANSWER) else imitation,
    )
