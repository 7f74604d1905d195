"""Many formulas at once: causal models of several networks as look-up tables, with interventions, in one evaluation.

This is the trainer's and never the certificate's: certificates evaluate the mechanism's own causal model.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from peabench_tasks.boolean.formulas import MAX_PARENTS
from peabench_tasks.boolean.plan import Plan


@dataclass(frozen=True)
class Tables:
    """Gates of `network` formulas over `n_inputs` inputs, padded to one length; the last gate copies the output.

    Variables are numbered inputs first, then gates.
    """

    n_inputs: int
    parents: Int[Tensor, "network gate slot"]
    table: Int[Tensor, "network gate assignment"]

    @classmethod
    def from_plans(cls, plans: list[Plan]) -> "Tables":
        """Tabulate the plans' formulas, which must share their number of inputs."""
        n_inputs = plans[0].config.n_inputs
        n_gates = max(len(p.formula.gates) for p in plans) + 1
        parents = torch.zeros(len(plans), n_gates, MAX_PARENTS, dtype=torch.long)
        table = torch.zeros(len(plans), n_gates, 2**MAX_PARENTS, dtype=torch.long)
        for k, plan in enumerate(plans):
            number = variable_numbers(plan)
            for g, gate in enumerate(plan.formula.gates):
                for slot, parent in enumerate(plan.formula.read[gate.name]):
                    parents[k, g, slot] = number[parent]
                table[k, g] = torch.from_numpy(plan.formula.table(gate)).long()
            parents[k, -1, 0] = number[plan.formula.gates[-1].name]
            table[k, -1] = torch.arange(2**MAX_PARENTS) % 2
        return cls(n_inputs, parents, table)

    @property
    def n_variables(self) -> int:
        """Inputs and gates, padding and the output's copy included."""
        return self.n_inputs + self.parents.shape[1]

    def subset(self, index: list[int]) -> "Tables":
        """The tables of some of the networks."""
        return Tables(self.n_inputs, self.parents[index], self.table[index])

    def run(
        self,
        inputs: Bool[Tensor, "network row input"],
        override: tuple[Bool[Tensor, "network row variable"], Bool[Tensor, "network row variable"]] | None = None,
        slots: tuple[Bool[Tensor, "network row gate slot"], Bool[Tensor, "network row variable"]] | None = None,
    ) -> Bool[Tensor, "network row variable"]:
        """All variables on each row.

        Args:
            inputs: input values.
            override: (where, values): variables set for everyone who reads them.
            slots: (where, values): places where one gate, and only that gate, sees another value of its parent.
        """
        networks, rows, _ = inputs.shape
        values = torch.zeros(networks, rows, self.n_variables, dtype=torch.bool)
        values[..., : self.n_inputs] = inputs
        if override is not None:
            where = override[0][..., : self.n_inputs]
            values[..., : self.n_inputs] = torch.where(where, override[1][..., : self.n_inputs], inputs)
        weights = 2 ** torch.arange(MAX_PARENTS)
        for gate in range(self.parents.shape[1]):
            at = self.parents[:, None, gate].expand(-1, rows, -1)
            bits = values.gather(2, at)
            if slots is not None:
                bits = torch.where(slots[0][:, :, gate], slots[1].gather(2, at), bits)
            value = self.table[:, gate].gather(1, (bits * weights).sum(-1)).bool()
            variable = self.n_inputs + gate
            if override is not None:
                value = torch.where(override[0][..., variable], override[1][..., variable], value)
            values[..., variable] = value
        return values


def variable_numbers(plan: Plan) -> dict[str, int]:
    """Number of each input and gate in the tables."""
    names = [*plan.formula.inputs, *(g.name for g in plan.formula.gates)]
    return {name: i for i, name in enumerate(names)}
