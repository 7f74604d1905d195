"""What plans demand of networks under planting: directions, sites, edges, units, as padded tensors."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.generators import generator_of
from peabench.networks import build_network
from peabench.training.stacked import orthonormal
from peabench_tasks.boolean.plan import Plan, decoy_column
from peabench_tasks.boolean.tables import Tables, variable_numbers


@dataclass
class Targets:
    """What the plans demand, as padded tensors with a network axis."""

    basis: Float[Tensor, "network d_model d_model"]
    """Column v is variable v's direction (inputs first, then gates); the last columns are the decoys'."""
    planted: Bool[Tensor, "network variable"]
    sites: Bool[Tensor, "network variable boundary"]
    """Where a variable may be interchanged."""
    live: Bool[Tensor, "network variable boundary"]
    """Where it must survive the swap of everything else."""
    circuit: Float[Tensor, "network reader node"]
    edges: Int[Tensor, "network edge 4"]
    """(reader, node, gate, slot); repeated cyclically to one length."""
    gates: Int[Tensor, "network gate 2"]
    """(unit, variable) of each gate, units counted through all blocks; repeated cyclically to one length."""
    parts: Float[Tensor, "network variable"]
    """Sign with which each variable enters the network's derived variable, 0 if it does not; set along their sum."""
    spare_part: Bool[Tensor, " network"]
    """Whether one of the parts may be left out: two of three copies are enough."""
    part_sites: Bool[Tensor, "network boundary"]
    """Where they may be set together: even where one alone has been read already."""
    decoys: list[list[tuple[int, int, int, int, int]]]
    """Per network: (node, basis column, variable, spoiler, nuisance)."""
    swayers: list[list[tuple[int, int, int]]]
    """Per network: (node, input, input)."""

    @classmethod
    def from_plans(cls, plans: list[Plan], seeds: list[int]) -> "Targets":
        """The plans' demands, with one random orthonormal basis per seed."""
        config = plans[0].config
        tables = Tables.from_plans(plans)
        graph = build_network(config).graph
        n_variables, boundaries, d_model = tables.n_variables, config.n_blocks + 1, config.d_model
        sites = torch.zeros(len(plans), n_variables, boundaries, dtype=torch.bool)
        live = sites.clone()
        planted = sites[..., 0].clone()
        circuit = torch.zeros(len(plans), *graph.exists.shape)
        parts = torch.zeros(len(plans), n_variables)
        spare_part = torch.zeros(len(plans), dtype=torch.bool)
        part_sites = torch.zeros(len(plans), boundaries, dtype=torch.bool)
        bases, edges, gates = list[Tensor](), list[Tensor](), list[Tensor]()
        decoys: list[list[tuple[int, int, int, int, int]]] = []
        swayers: list[list[tuple[int, int, int]]] = []
        for k, plan in enumerate(plans):
            number = variable_numbers(plan)
            for name in plan.variables:
                v = number[name]
                planted[k, v] = True
                sites[k, v, plan.sites(name).start : plan.sites(name).stop] = True
                live[k, v, plan.live(name).start : plan.live(name).stop] = True
            for derived in plan.formula.derived:
                parts[k, [number[name] for name in derived.parents]] = torch.tensor(derived.signs).float()
                spare_part[k] = derived.kind == "majority"
                together = plan.derived_sites(derived)
                part_sites[k, together.start : together.stop] = True
            mine: list[tuple[int, int, int, int]] = []
            for g, gate in enumerate(plan.formula.gates):
                if gate.name in plan.bystanders:
                    continue
                block, unit = plan.units[gate.name]
                for slot, parent in enumerate(plan.formula.read[gate.name]):
                    mine.append((block * config.n_units + unit, plan.node_number(parent), g, slot))
            root = plan.node_number(plan.formula.gates[-1].name)
            mine.append((graph.output_reader, root, tables.parents.shape[1] - 1, 0))
            for reader, node, _, _ in mine:
                circuit[k, reader, node] = 1
            edges.append(torch.tensor(mine))
            gates.append(torch.tensor([(plan.node_number(n) - config.n_inputs, number[n]) for n in plan.units]))
            decoys.append([])
            for i, decoy in enumerate(plan.decoys):
                node = config.n_inputs + decoy.unit[0] * config.n_units + decoy.unit[1]
                spoiler, nuisance = number[decoy.spoiler], number[decoy.nuisance]
                decoys[k].append((node, decoy_column(plan, i), number[decoy.variable], spoiler, nuisance))
            swayers.append([])
            for swayer in plan.swayers:
                node = config.n_inputs + swayer.unit[0] * config.n_units + swayer.unit[1]
                one, other = swayer.inputs
                swayers[k].append((node, number[one], number[other]))
            if n_variables + len(plan.decoys) > d_model:
                raise RuntimeError(f"{n_variables + len(plan.decoys)} directions do not fit d_model {d_model}")
            bases.append(orthonormal((d_model, d_model), generator_of(seeds[k])))
        demands = (circuit, _padded(edges), _padded(gates), parts, spare_part, part_sites, decoys, swayers)
        return cls(torch.stack(bases), planted, sites, live, *demands)

    def subset(self, index: list[int]) -> "Targets":
        """The targets of some of the networks."""
        return Targets(
            basis=self.basis[index],
            planted=self.planted[index],
            sites=self.sites[index],
            live=self.live[index],
            circuit=self.circuit[index],
            edges=self.edges[index],
            gates=self.gates[index],
            parts=self.parts[index],
            spare_part=self.spare_part[index],
            part_sites=self.part_sites[index],
            decoys=[self.decoys[i] for i in index],
            swayers=[self.swayers[i] for i in index],
        )


def _padded(rows: list[Tensor]) -> Tensor:
    """Stacked, the shorter ones repeated cyclically to the length of the longest."""
    longest = max(len(r) for r in rows)
    return torch.stack([r[torch.arange(longest) % len(r)] for r in rows])
