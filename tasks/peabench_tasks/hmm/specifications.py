"""Which tasks the family has."""

from collections.abc import Iterator
from dataclasses import dataclass

from peabench.mechanism import EveryPosition, HiddenMarkovProcess
from peabench.networks import TransformerConfig
from peabench_tasks.hmm.processes import PROCESSES, ProcessName

FAMILY = "hmm"
FURTHER: dict[ProcessName, int] = {"rrxor": 3, "rrand": 2, "ring": 2, "mess3": 0}
"""Tokens that follow on the belief: enough to tell any two beliefs apart."""
BEFORE: dict[ProcessName, int] = {"rrxor": 9, "rrand": 9, "ring": 8, "mess3": 5}
"""Tokens that it is of."""
DECOY = "_decoy"
"""Ending of variants in which another subspace holds the belief too."""
SEEDS = {"rrxor": 1, "rrand": 1, "ring": 1, "mess3": 1, "rrxor_decoy": 0, "rrand_decoy": 0, "ring_decoy": 1}
"""How many tasks each variant has. Seeds of weights follow from its place here."""
DESCRIPTIONS: dict[ProcessName, str] = {
    "rrxor": "Two random bits, then their exclusive or, again and again; which of the three comes next is hidden.",
    "rrand": "Two random bits, then whether both are 1, again and again; which of the three comes next is hidden.",
    "ring": "A walk on a ring of four places, of which two show 0 and two show 1; the place is hidden.",
    "mess3": "Three hidden states that mostly stay and mostly show their own token (Mess3), learnt freely.",
}
FEW = "scorers get 12 sequences"
BAIT = f"{FEW}, and another subspace holds the belief twice as strongly, and nobody reads it"
CONTROL = "the belief is a linear function of the next token's probabilities: nothing can be above the controls"


@dataclass(frozen=True)
class Specification:
    """One task."""

    variant: str
    size: str
    seed: int

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    def process_name(self) -> ProcessName:
        """The variant without its ending."""
        return next(name for name in PROCESSES if name == self.variant.removesuffix(DECOY))

    @property
    def process(self) -> HiddenMarkovProcess:
        """What writes the tokens."""
        return PROCESSES[self.process_name]()

    @property
    def length(self) -> int:
        """Tokens of a sequence."""
        return BEFORE[self.process_name] + FURTHER[self.process_name]

    @property
    def position(self) -> int | EveryPosition:
        """Of the belief."""
        return "*" if self.planted is None else BEFORE[self.process_name] - 1

    @property
    def network(self) -> TransformerConfig:
        """Three blocks; the belief is planted before the last."""
        tokens = self.process.n_tokens
        return TransformerConfig(
            d_vocabulary=tokens,
            n_positions=self.length,
            d_model=32,
            n_blocks=3,
            n_heads=4,
            d_head=8,
            d_mlp=64,
            d_output=tokens,
            causal=True,
        )

    @property
    def planted(self) -> int | None:
        """Block before which the belief stands in a subspace of its own; None: nothing was planted."""
        return None if self.variant == "mess3" else 2

    @property
    def decoy(self) -> bool:
        """Whether the belief is held once more, where nobody reads it."""
        return self.variant.endswith(DECOY)

    @property
    def steps(self) -> int:
        """Of training."""
        return 2500 if self.process_name == "rrxor" else 2000

    @property
    def difficulty(self) -> str:
        """Why the task is hard, in words."""
        if self.variant == "mess3":
            return CONTROL
        return BAIT if self.decoy else FEW

    @property
    def examples(self) -> int:
        """How many sequences scorers get: of a planted belief so few that reading it is not the same as finding it."""
        return 96 if self.planted is None else 12


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant, seeds in SEEDS.items():
        for seed in range(seeds):
            yield Specification(variant, "xs", seed)
