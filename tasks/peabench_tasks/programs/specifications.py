"""Which tasks the family has: programs, hard variants, sizes, seeds, and the network of each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from peabench.networks.config import TransformerConfig
from peabench_tasks.planting.placement import Placement, draw_placement
from peabench_tasks.planting.program import Program
from peabench_tasks.programs import library

SEEDS = 3
EXAMPLES = 512
FEW_EXAMPLES = 48


@dataclass(frozen=True)
class Size:
    """Network and length of training of one size."""

    length: int
    d_model: int
    n_blocks: int
    n_heads: int
    d_head: int
    d_mlp: int
    steps: int
    rate: float = 1.0
    """Factor of the learning rates: where many nodes write into one stream, small changes of each add up."""


SIZES = {
    "xs": Size(length=6, d_model=28, n_blocks=2, n_heads=4, d_head=5, d_mlp=18, steps=200),
    "s": Size(length=6, d_model=30, n_blocks=3, n_heads=4, d_head=5, d_mlp=18, steps=200),
    "m": Size(length=7, d_model=34, n_blocks=4, n_heads=6, d_head=4, d_mlp=18, steps=200),
    "l": Size(length=8, d_model=40, n_blocks=4, n_heads=8, d_head=4, d_mlp=18, steps=200),
}
WIDE = Size(length=6, d_model=30, n_blocks=3, n_heads=14, d_head=4, d_mlp=18, steps=200, rate=0.05)

Builder = Callable[[int, int], Program]


@dataclass(frozen=True)
class Variant:
    """A program, its vocabulary and its sizes, and what makes it hard."""

    build: Builder
    vocabulary: int
    sizes: tuple[str, ...]
    description: str
    difficulty: str = ""


EXCEPTION = "two heads and an MLP decide on 1 in 256 inputs alone"
THREE_HEADS = "three heads decide on 1 in 256 inputs alone"

VARIANTS = {
    "duplicates": Variant(library.duplicates, 5, ("xs",), "The first token that occurs a second time, or none."),
    "reverse": Variant(library.reverse, 5, ("s",), "The token opposite to the place that the last one points to."),
    "pattern": Variant(
        library.pattern, 4, ("s",), "Whether 0 is anywhere followed by 1; with an exception.", EXCEPTION
    ),
    "pair_balance": Variant(library.pair_balance, 4, ("xs",), "Whether 0 is rarer than 1, as frequent, or more so."),
    "dyck": Variant(library.dyck, 4, ("s",), "Whether the brackets 0 and 1 balance; with an exception.", EXCEPTION),
    "histogram": Variant(library.histogram, 4, ("xs",), "How often the last token occurs; an exception.", EXCEPTION),
    "fraction": Variant(
        library.fraction, 4, ("xs",), "How the share of 0 compares with the last token; with an exception.", EXCEPTION
    ),
    "sort": Variant(
        library.sort, 4, ("m",), "The token at the sorted place to which the last points; an exception.", THREE_HEADS
    ),
    "most_frequent": Variant(
        library.most_frequent, 4, ("s",), "The most frequent token that is not blank, the smallest of several."
    ),
    "selective_copy": Variant(library.selective_copy, 4, ("s",), "The n-th token that is not blank; the last is n."),
    "redundant": Variant(
        library.redundant,
        4,
        ("s",),
        "Dyck, with three heads for early closings.",
        f"any two of three heads suffice, so first-order effects vanish; {EXCEPTION}",
    ),
    "cancelling": Variant(
        library.cancelling,
        4,
        ("s",),
        "Whether an odd number of the tokens 0, 1 and 2 is present; with an exception.",
        f"every path enters an exclusive or, so that its effects cancel on average; {EXCEPTION}",
    ),
    "rare": Variant(library.rare, 4, ("s",), "Pair balance; with an exception.", EXCEPTION),
    "saturated": Variant(
        library.duplicates,
        5,
        ("xs",),
        "The first token that occurs a second time, or none.",
        "attention is so sharp and the outputs are so confident that gradients are flat",
    ),
    "wide": Variant(
        library.rare,
        4,
        ("s",),
        "Pair balance; with an exception.",
        f"the circuit is a handful of thousands of q, k and v edges; {EXCEPTION}",
    ),
    "few": Variant(
        library.dyck, 4, ("s",), "Dyck; with an exception.", f"scorers get {FEW_EXAMPLES} examples; {EXCEPTION}"
    ),
}


@dataclass(frozen=True)
class Specification:
    """One task to be made."""

    family: str
    about: Variant
    number: int
    """Place in the family's list, which seeds are made from."""
    variant: str
    size: str
    seed: int

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    def shape(self) -> Size:
        """Network and training."""
        return WIDE if self.variant == "wide" else SIZES[self.size]

    @property
    def examples(self) -> int:
        """How many base-source pairs scorers receive."""
        return FEW_EXAMPLES if self.variant == "few" else EXAMPLES

    def program(self) -> Program:
        """What the network is to compute."""
        return self.about.build(self.shape.length, self.about.vocabulary)

    def placement(self, seed: int) -> Placement:
        """The program in its network; another training seed draws another placement."""
        program, shape = self.program(), self.shape
        config = TransformerConfig(
            d_vocabulary=max(program.domain.sizes),
            n_positions=program.n_positions,
            d_model=shape.d_model,
            n_blocks=shape.n_blocks,
            n_heads=shape.n_heads,
            d_head=shape.d_head,
            d_mlp=shape.d_mlp,
            d_output=program.n_outputs,
        )
        return draw_placement(program, config, self.weight_seed(seed))

    def weight_seed(self, seed: int) -> int:
        """Seed of the placement, the initial weights and the planted basis: its own for each task."""
        return 1000 * (seed + 1) + self.number


def specifications(
    family: str = "programs", variants: Mapping[str, Variant] = VARIANTS, first: int = 0
) -> Iterator[Specification]:
    """All tasks of this family, or of another family of planted programs, numbered from `first`."""
    listed = [
        (name, size, seed) for name, variant in variants.items() for size in variant.sizes for seed in range(SEEDS)
    ]
    for number, (name, size, seed) in enumerate(listed, first):
        yield Specification(family, variants[name], number, name, size, seed)
