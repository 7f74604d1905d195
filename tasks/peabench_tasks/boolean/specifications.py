"""Which tasks the family has: variants, sizes, seeds, and the shape of formula and network of each."""

from collections.abc import Iterator
from dataclasses import dataclass

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.boolean.formulas import Formula, Shape, draw_formula
from peabench_tasks.boolean.plan import Plan, draw_plan
from peabench_tasks.specification import TaskSpecification

SEEDS = 3
EXAMPLES = 2048
FEWER_EXAMPLES = {"few": 256, "rare": 512}
SWAYERS = 3
SWAYED = ("rare", "redundant")


@dataclass(frozen=True)
class Size:
    """Formula, network and length of training of one size."""

    formula: Shape
    network: ResidualMLPConfig
    steps: int
    decoys: int


SIZES = {
    "xs": Size(
        Shape(n_gates=2, n_inputs=8, n_distractors=4, min_depth=2, max_depth=2),
        ResidualMLPConfig(n_inputs=8, d_model=16, n_blocks=3, n_units=3, d_hidden=8),
        steps=400,
        decoys=0,
    ),
    "s": Size(
        Shape(n_gates=4, n_inputs=8, n_distractors=2, min_depth=2, max_depth=4),
        ResidualMLPConfig(n_inputs=8, d_model=24, n_blocks=4, n_units=4, d_hidden=8),
        steps=800,
        decoys=2,
    ),
    "m": Size(
        Shape(n_gates=8, n_inputs=9, n_distractors=1, min_depth=3, max_depth=5),
        ResidualMLPConfig(n_inputs=9, d_model=32, n_blocks=5, n_units=4, d_hidden=12),
        steps=1000,
        decoys=2,
    ),
    "l": Size(
        Shape(n_gates=16, n_inputs=16, n_distractors=3, min_depth=4, max_depth=6),
        ResidualMLPConfig(n_inputs=16, d_model=48, n_blocks=6, n_units=6, d_hidden=12),
        steps=2600,
        decoys=0,
    ),
}
RARE_S = Size(
    Shape(n_gates=4, n_inputs=9, n_distractors=1, min_depth=2, max_depth=4),
    ResidualMLPConfig(n_inputs=9, d_model=24, n_blocks=4, n_units=4, d_hidden=8),
    steps=600,
    decoys=0,
)
"""A gate that decides on 1% of the inputs needs more of them than size s has otherwise."""

DIFFICULTY = {
    "tree": "",
    "decoy": "strong copies decide nothing but sway the logit, and a nuisance is mixed into what is read",
    "redundant": "any two of three copies suffice, so first-order effects vanish, while idle units sway the logit",
    "cancelling": "a variable is the XOR of two paths: linear decoding and gradients see nothing",
    "rare": "a gate decides on about 1% of the inputs, and on few of the 512 examples, while idle units sway the logit",
    "split": "one variable is spread over two units",
    "few": "scorers get few examples",
}
VARIANT_SIZES = {"tree": ("xs", "s", "m", "l")} | {v: ("s", "m") for v in DIFFICULTY if v != "tree"}


@dataclass(frozen=True)
class Specification(TaskSpecification):
    """One task to be made."""

    @property
    def number(self) -> int:
        """Place in the list of all."""
        return list(specifications()).index(self)

    @property
    def shape(self) -> Size:
        """Formula, network and training."""
        return RARE_S if (self.variant, self.size) == ("rare", "s") else SIZES[self.size]

    @property
    def examples(self) -> int:
        """How many base-source pairs scorers receive."""
        return FEWER_EXAMPLES.get(self.variant, EXAMPLES)

    def plan(self, seed: int) -> Plan:
        """Formula and placement; another training seed draws other ones."""
        drawn = self.seed + SEEDS * seed
        return self.placed(draw_formula(self.variant, self.shape.formula, drawn), drawn)

    def placed(self, formula: Formula, drawn: int) -> Plan:
        """A formula of this variant and size, placed in its network."""
        decoys = self.shape.decoys if self.variant == "decoy" else 0
        return draw_plan(formula, self.shape.network, drawn, decoys, SWAYERS if self.variant in SWAYED else 0)


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant, sizes in VARIANT_SIZES.items():
        for size in sizes:
            for seed in range(SEEDS):
                yield Specification(variant, size, seed)
