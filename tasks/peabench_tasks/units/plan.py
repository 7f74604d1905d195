"""Where the variables of a causal model go in a residual MLP: which unit computes which."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from random import Random

from jaxtyping import Float
from torch import Tensor

from peabench.mechanism import CausalModel, Expression, Kind, Variable
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.units.codes import code, values_of


@dataclass(frozen=True)
class Plan:
    """A causal model in a network of a given shape, and beside it variables of a rival, which nobody reads.

    Wherever two models of a family name a variable alike, it is the same function of the inputs.
    """

    model: CausalModel
    bystanders: tuple[Variable, ...]
    """In topological order; they read inputs, variables of the model and each other."""
    config: ResidualMLPConfig
    units: dict[str, tuple[int, int]]
    """(block, unit) of every variable that is no input."""
    strengths: tuple[float, float]
    """How strongly inner variables are written, and bystanders: lengths of the corners of their codes."""
    seed: int
    alarm: int | None = None
    """Unit of the first block that hears what is no value of an input, if one does."""
    affine: frozenset[str] = frozenset()
    """Variables each value of which an affine map shall tell from all others."""

    @cached_property
    def computed(self) -> tuple[Variable, ...]:
        """The variables that units compute, those of the model first."""
        own = (variable for variable in self.model.variables if variable.function is not None)
        return (*own, *self.bystanders)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Inputs, then the variables that units compute."""
        return (*(v for v in self.model.variables if v.function is None), *self.computed)

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Kind of every variable."""
        return {variable.name: variable.kind for variable in self.variables}

    def function(self, name: str) -> Expression:
        """How a variable that is no input follows from others."""
        function = next(variable.function for variable in self.computed if variable.name == name)
        if function is None:
            raise ValueError(f"{name} is an input")
        return function

    @cached_property
    def orders(self) -> dict[str, tuple[int, ...]]:
        """The corner at which each value of a variable is written: inputs and the output in order, others in any."""
        rng = Random(f"corners/{self.seed}")
        inner = [v for v in self.computed if v.name != self.model.output]
        drawn = {v.name: tuple(rng.sample(range(values_of(v.kind)), values_of(v.kind))) for v in inner}
        return {name: drawn.get(name, tuple(range(values_of(kind)))) for name, kind in self.kinds.items()}

    def code(self, name: str) -> Float[Tensor, "value k"]:
        """What is written for each value of a variable, at a strength of 1, in the coordinates of its subspace."""
        return code(self.kinds[name], self.orders[name], affine=name in self.affine)

    def strength(self, name: str) -> float:
        """How strongly a variable is written; inputs and the output at 1."""
        if name in self.model.inner:
            return self.strengths[0]
        return self.strengths[1] if any(v.name == name for v in self.bystanders) else 1.0

    def node(self, name: str) -> str:
        """Address of the node that writes a variable."""
        if name in self.units:
            block, unit = self.units[name]
            return f"block{block}.unit{unit}"
        return f"input{self.model.variable(name).columns[0]}"

    def written(self, name: str) -> int:
        """First `resid` index that holds a variable."""
        return self.units[name][0] + 1 if name in self.units else 0

    def readers(self, name: str) -> list[int]:
        """Blocks in which a variable of the model is read, ascending; the output counts as one after the last."""
        blocks = [self.units[v.name][0] for v in self.model.variables if name in v.parents]
        return sorted([*blocks, self.config.n_blocks] if name == self.model.output else blocks)

    def sites(self, name: str) -> range:
        """`resid` indices at which all of a variable's readers still lie ahead; of inputs, the first one."""
        first = self.written(name)
        return range(first, self.readers(name)[0] + 1) if name in self.units else range(1)


def beside(model: CausalModel, bait: CausalModel | None) -> tuple[Variable, ...]:
    """The inner variables of a rival that the model does not compute."""
    own = set(model.kinds)
    return () if bait is None else tuple(bait.variable(name) for name in bait.inner if name not in own)


def draw_plan(
    model: CausalModel,
    bait: CausalModel | None,
    config: ResidualMLPConfig,
    seed: int,
    strengths: tuple[float, float] = (1.0, 1.0),
) -> Plan:
    """Each variable in a random free unit of a random block between its parents and its readers.

    What reads inputs alone is computed in the first block: as long as it lies ahead, inputs that it reads together are
    as good as what it computes. Bystanders go where they stand in the stream for a while, if there is room.

    Raises:
        RuntimeError: the network has too few units or blocks.
    """
    bystanders = beside(model, bait)
    rng = Random(f"plan/{seed}/{sorted(model.kinds)}")
    for _ in range(1000):
        units = _drawn(model, bystanders, config, rng)
        free = sorted(set(range(config.n_units)) - {unit for block, unit in (units or {}).values() if block == 0})
        if units is not None and free:
            return Plan(model, bystanders, config, units, strengths, seed, rng.choice(free))
    raise RuntimeError(f"{model.inner} and {[v.name for v in bystanders]} do not fit {config.n_blocks} blocks")


def _drawn(
    model: CausalModel, bystanders: Iterable[Variable], config: ResidualMLPConfig, rng: Random
) -> dict[str, tuple[int, int]] | None:
    free = {block: rng.sample(range(config.n_units), config.n_units) for block in range(config.n_blocks)}
    units: dict[str, tuple[int, int]] = {}
    beside_it = {variable.name for variable in bystanders}
    for variable in (*(v for v in model.variables if v.function is not None), *bystanders):
        before = [units[parent][0] for parent in variable.parents if parent in units]
        first = 1 + max(before, default=-1)
        until = config.n_blocks if before or variable.name in beside_it else 1
        blocks = [block for block in range(first, until) if free[block]]
        if not blocks:
            return None
        block = rng.choice(blocks[:-1] or blocks if variable.name in beside_it else blocks)
        units[variable.name] = block, free[block].pop()
    return units
