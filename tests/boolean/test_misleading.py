"""What is planted to mislead is there in the shipped networks, and decides nothing."""

import torch
from torch import Tensor

from peabench.interventions import EdgePatch, run_patched, run_with_cache
from peabench.tasks import Task, load_task
from peabench_tasks.boolean.family import BOOLEAN
from peabench_tasks.boolean.specifications import Specification


def shipped(variant: str) -> Task:
    return load_task(BOOLEAN.checkpoints / Specification(variant, "s", 0).name)


def logits_with_edge_from_elsewhere(task: Task, edge: str) -> tuple[Tensor, Tensor]:
    """Logits of the whole domain, clean and with one edge from a random other input."""
    network = task.network()
    clean = run_with_cache(network, task.record.domain.all())
    order = torch.randperm(task.record.domain.size, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, *network.graph.exists.shape)
    mask[0][network.graph.edge_index(edge)] = 1
    with torch.no_grad():
        patched = run_patched(network, clean, [EdgePatch(mask, clean.nodes[:, order][:, None])])
    return clean.logits.flatten(), patched.flatten()


def test_swayers_move_the_logit_more_than_a_rare_gate_does_and_flip_no_output() -> None:
    task, plan = shipped("rare"), Specification("rare", "s", 0).plan(0)
    clean, patched = logits_with_edge_from_elsewhere(task, f"{plan.node('both')} <- {plan.node('rare')}")
    by_the_gate = float((patched - clean).abs().mean())
    assert bool(((patched > 0) != (clean > 0)).any())
    assert len(plan.swayers) == 3
    for swayer in plan.swayers:
        clean, patched = logits_with_edge_from_elsewhere(task, f"output <- block{swayer.unit[0]}.unit{swayer.unit[1]}")
        assert float((patched - clean).abs().mean()) > by_the_gate
        assert torch.equal(patched > 0, clean > 0)


def test_decoyed_variables_carry_interference() -> None:
    task, plan = shipped("decoy"), Specification("decoy", "s", 0).plan(0)
    rows = task.record.domain.all()
    activations = run_with_cache(task.network(), rows)
    model, graph = task.mechanism.causal_model, task.network().graph
    values = model.run(model.read_inputs(rows))
    assert len(plan.decoys) == 2
    for decoy in plan.decoys:
        basis = task.mechanism.alignment(decoy.variable).location.basis
        assert basis is not None
        node = graph.nodes.index(plan.node(decoy.variable))
        written = (activations.nodes[node][:, 0] @ task.mechanism.tensor(basis))[:, 0]
        signs = torch.stack([values[name].float() * 2 - 1 for name in (decoy.variable, decoy.nuisance)], 1)
        signal, interference = torch.linalg.lstsq(signs, written[:, None]).solution[:, 0].tolist()
        assert abs(interference) > 0.25 * abs(signal)
