"""What hypotheses claim: whether two of them claim the same, and whether one claims what no network can show."""

import hashlib
from collections.abc import Sequence
from itertools import combinations

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from peabench.domain import ProductDomain
from peabench.mechanism import CausalModel, Hypothesis

ROWS = 4096


def same_claim(hypotheses: Sequence[Hypothesis], domain: ProductDomain) -> tuple[str, str] | None:
    """Names of two candidates that claim the same, or None where no two do.

    Calling a variable's values otherwise is no other claim: causal models claim the same whose inner variables part the
    inputs alike and whose interchanges give the same outputs, on 4,096 pairs drawn from the domain. Other hypotheses do
    if they say the same in words of the schema.
    """
    generator = torch.Generator().manual_seed(0)
    base, source = (domain.sample(ROWS, generator) for _ in range(2))
    claims = {h.name: _claim(h, base, source) for h in hypotheses if h.is_candidate}
    return next((pair for pair in combinations(claims, 2) if claims[pair[0]] == claims[pair[1]]), None)


def idle_variable(model: CausalModel, domain: ProductDomain) -> str | None:
    """Name of an inner variable whose interchange changes no output, on 4,096 pairs drawn from the domain.

    No network can show whether it computes such a variable: in any subspace that nobody reads it seems to be found.
    """
    generator = torch.Generator().manual_seed(0)
    base, source = (model.read_inputs(domain.sample(ROWS, generator)) for _ in range(2))
    here, there = model.run(base), model.run(source)
    outputs = ((name, model.run(base, {name: there[name]})[model.output]) for name in model.inner)
    return next((name for name, after in outputs if torch.equal(after, here[model.output])), None)


def _claim(hypothesis: Hypothesis, base: Int[Tensor, "pair column"], source: Int[Tensor, "pair column"]) -> object:
    model = hypothesis.causal_model
    inner = None if model is None else frozenset(_variables(model, base, source))
    return hypothesis.level, hypothesis.frequencies, hypothesis.form, inner


def _variables(model: CausalModel, base: Int[Tensor, "pair column"], source: Int[Tensor, "pair column"]) -> list[bytes]:
    """A digest of each inner variable: which rows it takes for alike, and what its interchanges put out."""
    inputs = model.read_inputs(base)
    here, there = model.run(inputs), model.run(model.read_inputs(source))
    found = []
    for name in model.inner:
        after = model.run(inputs, {name: there[name]})[model.output].long()
        digest = hashlib.sha256(_parted(torch.cat([here[name], there[name]])).numpy().tobytes())
        digest.update(after.contiguous().numpy().tobytes())
        found.append(digest.digest())
    return found


def _parted(values: Shaped[Tensor, "row ..."]) -> Int[Tensor, " row"]:
    """For each row the first row of the same value."""
    by_row = 0 if values.dim() > 1 else None  # a hundred times slower, even where each row has one entry
    number = values.unique(dim=by_row, return_inverse=True)[1]
    rows = torch.arange(len(number))
    first = torch.full((int(number.max()) + 1,), len(number)).scatter_reduce(0, number, rows, "amin")
    return first[number]
