"""What names a task that is to be made, in every family whose tasks have a variant, a size and a seed."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

OWN = "own"
"""Name of a task's own network, where it has companions."""


@dataclass(frozen=True)
class TaskSpecification(ABC):
    """One task to be made. A family adds what it knows of it."""

    variant: str
    size: str
    seed: int

    @property
    def name(self) -> str:
        """Second part of the task's id."""
        return f"{self.variant}-{self.size}-{self.seed}"

    @property
    @abstractmethod
    def number(self) -> int:
        """Place in the family's list, which seeds are made from."""

    def weight_seed(self, seed: int) -> int:
        """Seed of whatever is drawn for the task: its own for each."""
        return 1000 * (seed + 1) + self.number
