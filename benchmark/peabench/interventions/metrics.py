"""What an intervention is judged by: any function of the logits, or a linear one that the engine can fold."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.chunks import Progress, part_of, pieces

HypothesesT = TypeVar("HypothesesT", Tensor, Sequence[str])

Metric = Callable[[Float[Tensor, "*any batch position output"]], Float[Tensor, "*any batch"]]
"""From logits to one number for each example; leading axes, such as one of hypotheses, are kept."""


@dataclass(frozen=True)
class LinearMetric:
    """A weighted sum of logits at some positions: sum over look, output of weights * logits[look, output].

    The engine computes only what these positions depend on, and multiplies the weights into the unembedding.

    >>> metric = LinearMetric.logit_difference(torch.tensor([1]), torch.tensor([0]), outputs=2)
    >>> metric(torch.tensor([[[5.0, 5.0], [1.0, 4.0]]]))
    tensor([3.])
    """

    weights: Float[Tensor, "#batch look output"]
    positions: tuple[int, ...]
    """Positions looked at, one for each entry of the axis `look`; negative ones count from the end."""

    @classmethod
    def logit_difference(
        cls,
        right: Int[Tensor, " batch"],
        wrong: Int[Tensor, " batch"] | None,
        outputs: int,
        positions: tuple[int, ...] = (-1,),
    ) -> "LinearMetric":
        """Logit of `right` minus logit of `wrong` (of `right` alone where None), averaged over the positions."""
        weights = torch.nn.functional.one_hot(right, outputs).float()
        if wrong is not None:
            weights = weights - torch.nn.functional.one_hot(wrong, outputs)
        return cls((weights / len(positions))[:, None].expand(-1, len(positions), -1), positions)

    def __call__(self, logits: Float[Tensor, "*any batch position output"]) -> Float[Tensor, "*any batch"]:
        """The metric on whole logits."""
        return (logits[..., list(self.positions), :] * self.weights).sum((-1, -2))

    def select(self, rows: slice) -> "LinearMetric":
        """The metric of some of the examples."""
        return self if self.weights.shape[0] == 1 else LinearMetric(self.weights[rows], self.positions)


def metric_positions(metric: Metric | None, length: int) -> tuple[int, ...]:
    """Positions that a metric looks at, in order: all of them unless it says which."""
    if isinstance(metric, LinearMetric):
        return tuple(sorted({position % length for position in metric.positions}))
    return tuple(range(length))


def batches(
    metric: LinearMetric | None, length: int, bytes_each: float, memory_bytes: int, progress: Progress | None = None
) -> Iterator[tuple[slice, LinearMetric | None, Progress | None]]:
    """Cut a batch to a memory budget: rows, the metric of those rows, and their progress."""
    for rows in pieces(length, bytes_each, memory_bytes):
        yield rows, None if metric is None else metric.select(rows), part_of(progress, rows, length)


def on_whole_batches(
    metric: Metric,
    hypotheses: HypothesesT,
    logits_bytes: int,
    memory_bytes: int,
    progress: Progress | None,
    run: Callable[..., Float[Tensor, "hypothesis *any batch position output"]],
) -> Float[Tensor, "hypothesis *any batch"]:
    """A metric that is a plain function may hold labels of the whole batch, so it is given whole logits.

    Half of the budget is for the logits (of `logits_bytes` for each hypothesis), half for what makes them: `run` is
    called with some of the hypotheses, and with `memory_bytes` and `progress` of its own.
    """
    values, count = [], len(hypotheses)
    for some in pieces(count, 2 * logits_bytes, memory_bytes // 2):
        told = part_of(progress, some, count)
        values.append(metric(run(hypotheses[some], memory_bytes=memory_bytes // 2, progress=told)))
    return torch.cat(values)
