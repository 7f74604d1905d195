"""What interchange of several things at once makes of a network: rivals that hold of it without being what it computes.

Where the reader of two variables, or of two inputs, lies ahead, swapping both is as good as swapping what is computed
of them. A rival whose variables can all be had so is no rival.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, combinations

import torch
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import CausalModel

PAIRS = 1024


def stages(model: CausalModel) -> Iterator[frozenset[str]]:
    """What may have been computed behind some block: all that reads inputs alone, and any of what follows."""
    inner = [model.variable(name) for name in model.inner]
    first = {v.name for v in inner if all(model.variable(p).function is None for p in v.parents)}
    later = [v for v in inner if v.name not in first]
    for some in chain.from_iterable(combinations(later, count) for count in range(len(later) + 1)):
        done = first | {v.name for v in some}
        if all(model.variable(p).function is None or p in done for v in some for p in v.parents):
            yield frozenset(done)


def still_read(model: CausalModel, done: frozenset[str]) -> list[str]:
    """Variables computed, and inputs, that something not yet computed reads."""
    readers = [v for v in model.variables if v.function is not None and v.name not in done]
    read = {parent for variable in readers for parent in variable.parents}
    return sorted(name for name in read if name in done or model.variable(name).function is None)


def outputs_of_joint_interchanges(model: CausalModel, base: Tensor, source: Tensor) -> list[Tensor]:
    """Of every set of what is still read, at every stage."""
    inputs, others = model.read_inputs(base), model.read_inputs(source)
    here, there = model.run(inputs), model.run(others)
    found = []
    for done in stages(model):
        names = still_read(model, done)
        for some in chain.from_iterable(combinations(names, count + 1) for count in range(len(names))):
            swapped = {name: others[name] if name in some else value for name, value in inputs.items()}
            held = {name: there[name] if name in some else here[name] for name in done}
            found.append(model.run(swapped, held)[model.output])
    return found


def least_wrong(network: CausalModel, rivals: Sequence[CausalModel], domain: ProductDomain) -> list[float]:
    """Of each rival's worst variable the balanced error of the joint interchange that does best for it.

    On all pairs of inputs where they are few, else on a sample.
    """
    base, source = pairs(domain)
    outputs = torch.stack(outputs_of_joint_interchanges(network, base, source))
    found = []
    for rival in rivals:
        inputs = rival.read_inputs(base)
        here, there = rival.run(inputs), rival.run(rival.read_inputs(source))
        worst = 0.0
        for name in rival.inner:
            wanted = rival.run(inputs, {name: there[name]})[rival.output]
            changed = wanted != here[rival.output]
            wrong = (outputs != wanted).float()
            balanced = (wrong[:, changed].mean(1) + wrong[:, ~changed].mean(1)) / 2
            worst = max(worst, float(balanced.min()))
        found.append(worst)
    return found


def pairs(domain: ProductDomain) -> tuple[Tensor, Tensor]:
    """Bases and sources."""
    if domain.size**2 > PAIRS:
        generator = torch.Generator().manual_seed(0)
        return domain.sample(PAIRS, generator), domain.sample(PAIRS, generator)
    rows = domain.all()
    return rows.repeat_interleave(len(rows), 0), rows.repeat(len(rows), 1)
