"""Checks of weights: what they add for inputs and for pairs is the features', and what other inputs do to an answer."""

from dataclasses import dataclass
from itertools import combinations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from peabench.certification.checks import Check, NullCheck, judged, totals
from peabench.certification.subject import CHUNK_ROWS, Subject
from peabench.errors import PeabenchError
from peabench.mechanism import Feature, VariableReference, variables
from peabench.networks import Network
from peabench.networks.interaction_matrices import InteractionMatrices, interaction_matrices
from peabench.true_features import directions, features_at, firing

OTHERS = 1
"""Most other inputs that are on while a gate's two inputs take their four cases."""
LOOKED_AT = 2
"""As many others on are looked at, and what comes of them is recorded."""
ROUNDING = 1e-4
"""Largest difference of logits, over the largest of them, that is put down to single precision."""


def interactions_check(subject: Subject, twin: Network | None) -> Check | None:
    """Whatever the weights give for an input, or for a pair beyond its inputs, is the features' part of it."""
    claim = subject.mechanism.interactions
    if claim is None:
        return None
    claimed, length = _claimed(subject, claim.site)

    def errors_of(network: Network) -> tuple[Float[Tensor, " entry"], float]:
        found = _entries(interaction_matrices(network))
        wrong = (found - claimed).norm(dim=1) / length
        return wrong, 1 - float((found - claimed).square().sum() / found.square().sum())

    wrong, share = errors_of(subject.network)
    recorded = {"share explained": round(share, 5), "largest error": round(float(wrong.max()), 5)}
    null = None
    if twin is not None:
        untrained, share = errors_of(twin)
        bad = int((untrained > claim.tolerance).sum())
        null = NullCheck(description="the random-init twin's weights", cases=len(untrained), errors=bad)
        recorded["share explained of the random-init twin"] = round(share, 5)
    return judged(
        "interactions",
        "what the weights add to the site for each input, and for each pair of inputs beyond that, is what the "
        f"features add, within {claim.tolerance:g} of the mean length of their directions",
        int((wrong > claim.tolerance).sum()),
        len(wrong),
        exhaustive=True,
        null=null,
        recorded=recorded,
    )


def quadratic_form_check(subject: Subject, twin: Network | None) -> Check | None:
    """Logits are the quadratic form of the weights: a bilinear block's always, relu neurons' with two inputs on."""
    if subject.mechanism.interactions is None:
        return None
    bilinear = subject.network.config.activation == "bilinear"
    rows = subject.rows if bilinear else subject.rows[subject.rows.sum(1) <= 2]
    matrices, network = interaction_matrices(subject.network), subject.network
    predicted = _logits(network, matrices, subject.rows)
    measured = subject.activations.logits[:, -1].double()
    largest = float(measured.abs().max())
    form = predicted if bilinear else _logits(network, matrices, rows)
    null = None
    if twin is not None:
        untrained = _apart(twin(rows)[:, -1].double(), form, largest)
        null = NullCheck(description="the random-init twin's logits", cases=len(rows), errors=untrained)
    unexplained = (measured - predicted).square().sum() / (measured - measured.mean(0)).square().sum()
    return judged(
        "quadratic form",
        "the logits are the quadratic form of the interaction matrices"
        + ("" if bilinear else " wherever at most two inputs are on"),
        _apart(network(rows)[:, -1].double(), form, largest),
        len(rows),
        exhaustive=False,
        null=null,
        recorded={"share of the logits' variance on all inputs": round(1 - float(unexplained), 5)},
    )


def interference_check(subject: Subject, twin: Network | None) -> Check | None:
    """Every answer in the four cases of its inputs, with none or any one of the others on."""
    claim = subject.mechanism.interactions
    if claim is None:
        return None
    cases = _Cases.of(subject, claim.site)
    wrong = cases.wrong(subject.network)
    counts = zip((wrong & cases.examined).sum(0).tolist(), cases.examined.sum(0).tolist(), strict=True)
    parts = dict(zip((feature.name for feature in features_at(subject.mechanism, claim.site)), counts, strict=True))
    recorded = {
        f"wrong with {number} others on": round(float(wrong[cases.others == number].double().mean()), 5)
        for number in range(LOOKED_AT + 1)
    }
    null = None
    if twin is not None:
        bad = int(cases.wrong(twin)[cases.examined].sum())
        null = NullCheck(description="the random-init twin's weights", cases=int(cases.examined.sum()), errors=bad)
    return judged(
        "interference",
        "each output is right in the four cases of its two inputs, with all others off and with any one of them on",
        *totals(parts),
        exhaustive=True,
        null=null,
        bar=subject.tolerance,
        parts=parts,
        recorded=recorded,
    )


@dataclass(frozen=True)
class _Cases:
    """Inputs with few on, the answers that the causal model gives them, and how many inputs of others are on."""

    rows: Int[Tensor, "row input"]
    answers: Bool[Tensor, "row output"]
    others: Int[Tensor, "row output"]

    @property
    def examined(self) -> Bool[Tensor, "row output"]:
        return self.others <= OTHERS

    @classmethod
    def of(cls, subject: Subject, site: str) -> "_Cases":
        columns = torch.tensor([_columns(subject, feature) for feature in features_at(subject.mechanism, site)])
        rows = _few_on(len(subject.domain.sizes), 2 + LOOKED_AT)
        values = subject.model.run(subject.model.read_inputs(rows))
        answers = values[subject.model.output]
        fires = firing(features_at(subject.mechanism, site), subject.mechanism, values) != 0
        if answers.shape != fires.shape or not bool((answers == fires).all()):
            raise PeabenchError(
                "expected the features of interactions to fire as the outputs say, in their order, got others; "
                "reorder the features"
            )
        return cls(rows, answers, rows.sum(1)[:, None] - rows[:, columns].sum(2))

    def wrong(self, network: Network) -> Bool[Tensor, "row output"]:
        logits = torch.cat([network(some)[:, -1] for some in self.rows.split(CHUNK_ROWS)])
        return (logits > 0) != self.answers


def _columns(subject: Subject, feature: Feature) -> tuple[int, int]:
    """The two inputs that a feature's variable is a function of."""
    names = sorted(variables(feature.activation))
    parents = [parent for name in names for parent in subject.model.variable(name).parents]
    if len(names) != 1 or len(parents) != 2 or not isinstance(feature.activation, VariableReference):
        raise PeabenchError(
            f"expected features of interactions that are a variable of two inputs each, got {feature.name!r} of "
            f"{', '.join(parents) or 'none'}; claim no interactions of it"
        )
    first, second = (subject.model.variable(parent).columns[0] for parent in parents)
    return first, second


def _claimed(subject: Subject, site: str) -> tuple[Float[Tensor, "entry d_model"], float]:
    """What the features add for each input and, beyond that, for each pair; and the mean length of a direction."""
    features = features_at(subject.mechanism, site)
    along = directions(features, subject.mechanism)
    rows = _few_on(len(subject.domain.sizes), 2)
    fired = firing(features, subject.mechanism, subject.model.run(subject.model.read_inputs(rows)))
    count = len(subject.domain.sizes)
    none, one, two = fired[0], fired[1 : count + 1] - fired[0], fired[count + 1 :]
    first, second = torch.triu_indices(count, count, 1)
    return torch.cat([one, two - one[first] - one[second] - none]) @ along, float(along.norm(dim=1).mean())


def _entries(matrices: InteractionMatrices) -> Float[Tensor, "entry d_model"]:
    """Inputs, then pairs in the order of `_few_on`."""
    first, second = torch.triu_indices(len(matrices.linear), len(matrices.linear), 1)
    return torch.cat([matrices.linear, matrices.products[first, second]])


def _few_on(count: int, most: int) -> Int[Tensor, "row input"]:
    """Inputs of 0 and 1 with none on, with each one, each two, ... up to so many on."""
    rows = [torch.zeros(1, count, dtype=torch.long)]
    for size in range(1, min(most, count) + 1):
        chosen = torch.tensor(list(combinations(range(count), size)))
        rows.append(torch.zeros(len(chosen), count, dtype=torch.long).scatter_(1, chosen, 1))
    return torch.cat(rows)


def _logits(
    network: Network, matrices: InteractionMatrices, rows: Int[Tensor, "row input"]
) -> Float[Tensor, "row output"]:
    parts = [matrices.stream(some.double()) for some in rows.split(CHUNK_ROWS)]
    return torch.cat(parts) @ network.w_output.double() + network.b_output.double()


def _apart(logits: Float[Tensor, "row output"], form: Float[Tensor, "row output"], largest: float) -> int:
    """Rows on which some logit is not the form's."""
    return int(((logits - form).abs().amax(1) > ROUNDING * largest).sum())
