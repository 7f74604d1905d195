"""From what `output` reads in patched runs to the metric."""

from collections.abc import Sequence
from copy import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.interventions.activations import Activations
from peabench.interventions.metrics import LinearMetric, Metric
from peabench.interventions.replay import Rows


class Readout:
    """From changed rows of what the output reads to the metric, or to whole logits."""

    def __init__(self, run: Activations, metric: Metric | None) -> None:
        self.run, self.metric = run, metric
        self.index: slice | Tensor | None = None
        network, read = run.network, run.resid[-1]
        if isinstance(metric, LinearMetric):
            length = run.embedded.shape[0]
            at = [[i for i, p in enumerate(metric.positions) if p % length == look] for look in run.look]
            weights = torch.stack([metric.weights[:, places].sum(1) for places in at])
            self.direction = weights @ network.w_output.T
            self.offset = weights @ network.b_output
            self.values = self._values(read[:, None], list(range(len(run.look))))[:, 0]
            self.base = self.values.sum(0)
        else:
            self.logits = network.unembed(read)
            whole = self.logits.movedim(0, 1)
            self.base = whole if metric is None else metric(whole)

    def select(self, index: slice | Int[Tensor, " example"]) -> "Readout":
        """Whole logits of some of the base run's examples."""
        some = copy(self)
        some.index = index
        return some

    def __call__(
        self, rows: Rows, x: Float[Tensor, "row hypothesis batch d_model"], labels: Sequence[int]
    ) -> Float[Tensor, "label hypothesis batch *logits"]:
        """The metric (or logits) of the runs with these labels; a run of which no row is left has the base run's."""
        at = [labels.index(label) for label, _ in rows]
        where = [self.run.look.index(position) for _, position in rows]
        if isinstance(self.metric, LinearMetric):
            change = self._values(x, where) - self.values[where][:, None]
            if len(self.run.look) == 1 and at == list(range(len(labels))):
                return self.base + change
            base = self.base.expand(len(labels), x.shape[1], -1)
            return base.index_add(0, torch.tensor(at, dtype=torch.long, device=x.device), change)
        if len(labels) == 1 and where == list(range(len(self.run.look))):
            logits = self.run.network.unembed(x).movedim(0, 2)[None]
        else:
            base = self.logits if self.index is None else self.logits[:, self.index]
            logits = base[:, None].expand(len(labels), len(base), x.shape[1], *base.shape[1:]).clone()
            if rows:
                logits[at, where] = self.run.network.unembed(x)
            logits = logits.movedim(1, 3)
        return logits if self.metric is None else self.metric(logits)

    def _values(self, x: Tensor, where: list[int]) -> Tensor:
        network = self.run.network
        return (network.output_norm(x) * self.direction[where][:, None]).sum(-1) + self.offset[where][:, None]
