"""Which tasks the family has: variants, sizes, seeds, and the network of each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.attributes import vocabularies
from peabench_tasks.attributes.lexicon import Lexicon
from peabench_tasks.attributes.queries import Query, draw_queries
from peabench_tasks.specification import TaskSpecification

SEEDS = 3


@dataclass(frozen=True)
class Size:
    """Words, network and training of one size."""

    attributes: int
    queries: int
    group: int
    """Attributes in each group that a query asks about."""
    length: int
    """Words in an input."""
    d_model: int
    d_hidden: int
    steps: int
    examples: int
    """Inputs that scorers learn from."""


SIZES = {
    "xs": Size(attributes=24, queries=8, group=4, length=2, d_model=20, d_hidden=96, steps=1200, examples=8192),
}


@dataclass(frozen=True)
class Variant:
    """How words carry attributes, and why that is hard."""

    number: int
    """Of its first task; seeds are made from it."""
    build: Callable[[int, int], Lexicon]
    """From the number of attributes and of words in an input."""
    description: str
    difficulty: str
    more_words: int = 0
    """Words in an input beyond those of the size."""


SUPERPOSED = "more attributes than dimensions, so that no two directions need be orthogonal"
VARIANTS = {
    "plain": Variant(0, vocabularies.plain, "Words that carry one attribute each, equally often.", SUPERPOSED),
    "zipf": Variant(
        9,
        vocabularies.zipf,
        "Words that carry one attribute each, the i-th 1/i times as often as the first.",
        "most attributes are rare, and a dictionary gains more by splitting the common ones than by finding them",
    ),
    "correlated": Variant(
        18,
        vocabularies.correlated,
        "Words that carry one or both attributes of a pair.",
        "two of three words for an attribute carry its partner too: one latent for the pair is sparser than two",
    ),
    "hierarchy": Variant(
        24,
        vocabularies.hierarchy,
        "Words for parents and for children, which carry their parent too.",
        "a child never fires without its parent, so that its latent absorbs the parent's direction",
    ),
    "exclusive": Variant(
        33,
        vocabularies.exclusive,
        "Four groups of attributes, of each of which an input has one at most.",
        "attributes of a group never meet, so that what they share is as good a direction as any of them",
    ),
    "signed": Variant(
        39,
        vocabularies.signed,
        "Words that carry an attribute, or its negation along the same direction.",
        "an attribute fires with either sign: latents that cannot be negative need two where there is one",
    ),
    "circle": Variant(
        45,
        vocabularies.circle,
        "Words that carry one attribute each, and a day of the week on a circle.",
        "a feature of two dimensions, none of whose directions is one by itself",
        more_words=1,
    ),
    "magnitude": Variant(
        51,
        vocabularies.magnitude,
        "Words that carry one attribute each, and one that is said plainly or loudly.",
        "loudness has no direction of its own, only a greater length along that of what is said",
        more_words=1,
    ),
    "decoy": Variant(
        57,
        vocabularies.decoy,
        "Words that carry one attribute each; one of them is never asked about.",
        "a quarter of the attributes is as decodable as the others and of no effect",
        more_words=1,
    ),
}


@dataclass(frozen=True)
class Specification(TaskSpecification):
    """One task to be made."""

    @property
    def number(self) -> int:
        """Of a variant's tasks those of one size come after those of another."""
        return self.about.number + SEEDS * list(SIZES).index(self.size) + self.seed

    @property
    def about(self) -> Variant:
        """What makes it hard."""
        return VARIANTS[self.variant]

    @property
    def shape(self) -> Size:
        """Network and training."""
        return SIZES[self.size]

    def lexicon(self) -> Lexicon:
        """Its words."""
        return self.about.build(self.shape.attributes, self.shape.length + self.about.more_words)

    def queries(self, seed: int) -> list[Query]:
        """What is asked; another training seed draws others."""
        return draw_queries(self.shape.queries, len(self.lexicon().atoms), self.shape.group, self.weight_seed(seed))

    def config(self) -> ResidualMLPConfig:
        """The network: columns of words, and the query's, whose rows stand behind all words."""
        lexicon, shape = self.lexicon(), self.shape
        words = [(column.first, column.count) for column in lexicon.columns]
        return ResidualMLPConfig(
            n_inputs=len(words) + 1,
            words=(*words, (len(lexicon.words), shape.queries)),
            d_model=shape.d_model,
            n_blocks=2,
            n_units=1,
            d_hidden=shape.d_hidden,
        )


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant, size, seed in product(VARIANTS, SIZES, range(SEEDS)):
        yield Specification(variant, size, seed)
