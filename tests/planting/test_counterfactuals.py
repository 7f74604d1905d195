"""What the trainer asks of patched rows is what the causal model says, one row at a time."""

import torch

from peabench_tasks.planting.counterfactuals import carried_edges, counterfactual
from peabench_tasks.programs.library import duplicates


def test_single_edges_and_set_variables() -> None:
    program = duplicates(6, 4)
    model, edges = program.model, carried_edges(program)
    generator = torch.Generator().manual_seed(0)
    rows = program.domain.sample(24, generator)[None]
    values = model.run(model.read_inputs(rows))
    others = [{name: value.roll(shift, 1) for name, value in values.items()} for shift in (1, 2)]
    groups = len(edges) + 2
    active = torch.arange(groups) < len(edges)
    chosen = torch.zeros(2, 1, groups, len(program.steps), dtype=torch.bool)
    chosen[0, 0, -2, 0] = chosen[1, 0, -1, 1] = True
    output, _ = counterfactual(program, values, others, torch.arange(groups).clamp(max=len(edges) - 1), active, chosen)
    for row in range(24):
        inputs = {name: values[name][0, row : row + 1] for name in model.inputs}
        for group in range(groups):
            if group >= len(edges):
                step, other = (program.steps[0], others[0]) if group == len(edges) else (program.steps[1], others[1])
                run = model.run(inputs, {step.variable: other[step.variable][0, row : row + 1]})
            elif edges[group] == [(model.output, model.output)]:
                run = {model.output: others[0][model.output][0, row]}
            else:
                run = model.run(inputs, edge_interventions={e: others[0][e[0]][0, row : row + 1] for e in edges[group]})
            assert int(output[0, group, row]) == int(run[model.output])
    assert bool((output != values[model.output][:, None]).any(-1).all())
