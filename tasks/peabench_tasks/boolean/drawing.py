"""Fresh tasks for sealed suites: formula, placement and weights from a key, under names that tell nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from peabench.registry import Draft
from peabench.sealing.keys import derive_seed
from peabench.tasks import Twin
from peabench_tasks.boolean.formulas import Derived, Formula, Gate, draw_formula
from peabench_tasks.boolean.specifications import Specification
from peabench_tasks.boolean.training import Commission, plant_all, task_record_of


def draw(drafts: Sequence[Draft], progress: Callable[[str, float], None]) -> None:
    """Plant and certify a fresh task in the folder of each draft. There are no freely trained twins.

    Raises:
        PeabenchError: some did not pass; those that passed are written.
    """
    plant_all([commission(draft) for draft in drafts], progress)


def commission(draft: Draft) -> Commission:
    """What a draft asks to be planted."""
    variant, _, size = draft.kind.rpartition("-")
    specification = Specification(variant, size, 0)
    drawn = draw_formula(variant, specification.shape.formula, derive_seed(draft.key, "formula"))
    formula = renamed(drawn, Random(derive_seed(draft.key, "names")))
    plan = specification.placed(formula, derive_seed(draft.key, "placement"))
    plan = replace(plan, formula=reordered(formula, Random(derive_seed(draft.key, "order"))))
    twin = Twin(name="random", provenance="random_init", seed=derive_seed(draft.key, "twin") >> 193)
    record = task_record_of(specification, plan, (twin,))
    return Commission(draft.folder, record, plan, specification.shape.steps, derive_seed(draft.key, "weights"))


def renamed(formula: Formula, rng: Random) -> Formula:
    """The same formula with gates and derived variables named `v0`, `v1`, ... in random order.

    Names such as `secret` or `g0b` would tell what makes the task hard.
    """
    old = [gate.name for gate in formula.gates] + [part.name for part in formula.derived]
    new = {name: f"v{number}" for name, number in zip(old, rng.sample(range(len(old)), len(old)), strict=True)}

    def literals(part: Gate | Derived) -> tuple[tuple[str, bool], ...]:
        return tuple((new.get(name, name), negated) for name, negated in part.literals)

    return Formula(
        n_inputs=formula.n_inputs,
        gates=tuple(replace(gate, name=new[gate.name], literals=literals(gate)) for gate in formula.gates),
        derived=tuple(replace(part, name=new[part.name], literals=literals(part)) for part in formula.derived),
        focus=tuple(new[name] for name in formula.focus),
    )


def reordered(formula: Formula, rng: Random) -> Formula:
    """The same formula with its gates in a random topological order, which tells nothing of where they were put."""
    waiting, placed = list(formula.gates), list[Gate]()
    while waiting:
        unwritten = {gate.name for gate in waiting}
        gate = rng.choice([gate for gate in waiting if not unwritten & set(formula.read[gate.name])])
        waiting.remove(gate)
        placed.append(gate)
    return replace(formula, gates=tuple(placed))
