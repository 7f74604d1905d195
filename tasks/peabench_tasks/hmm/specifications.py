"""Which tasks the family has."""

from collections.abc import Iterator
from dataclasses import dataclass

from peabench.mechanism import HiddenMarkovProcess
from peabench.networks import TransformerConfig
from peabench_tasks.hmm.processes import PROCESSES, ProcessName

FAMILY = "hmm"
LENGTHS: dict[ProcessName, int] = {"rrxor": 9, "rrand": 9, "ring": 8, "mess3": 5}
STAYS = "_stays"
"""Ending of variants in which the belief stays in the residual stream behind its last reader."""
SEEDS = {"rrxor": 1, "rrand": 1, "ring": 1, "mess3": 1, "rrxor_stays": 1, "rrand_stays": 1, "ring_stays": 1}
"""How many tasks each variant has."""
DESCRIPTIONS: dict[ProcessName, str] = {
    "rrxor": "Two random bits, then their exclusive or, again and again; which of the three comes next is hidden.",
    "rrand": "Two random bits, then whether both are 1, again and again; which of the three comes next is hidden.",
    "ring": "A walk on a ring of four places, of which two show 0 and two show 1; the place is hidden.",
    "mess3": "Three hidden states that mostly stay and mostly show their own token (Mess3), learnt freely.",
}
BEHIND = "the belief stays in the residual stream behind its last reader, as easily read as before and used by nobody"
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
        return next(name for name in PROCESSES if name == self.variant.removesuffix(STAYS))

    @property
    def process(self) -> HiddenMarkovProcess:
        """What writes the tokens."""
        return PROCESSES[self.process_name]()

    @property
    def length(self) -> int:
        """Tokens of a sequence."""
        return LENGTHS[self.process_name]

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
    def stays(self) -> bool:
        """Whether the belief is kept in the residual stream behind its last reader."""
        return self.variant.endswith(STAYS)

    @property
    def steps(self) -> int:
        """Of training."""
        return 1500 if self.variant == "mess3" else 3000

    @property
    def difficulty(self) -> str:
        """Why the task is hard, in words."""
        if self.variant == "mess3":
            return CONTROL
        return BEHIND if self.stays else ""


def specifications() -> Iterator[Specification]:
    """All tasks of the family."""
    for variant, seeds in SEEDS.items():
        for seed in range(seeds):
            yield Specification(variant, "xs", seed)
