"""What a network should hold and put out by its mechanism's beliefs, and how far swaps along a read-out get it."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from peabench.domain import ProductDomain
from peabench.interventions import Activations, interchange, site_values
from peabench.mechanism import (
    Beliefs,
    Boolean,
    CausalModel,
    EveryPosition,
    HiddenMarkovProcess,
    Kind,
    Mechanism,
    MechanismError,
    cardinality,
)
from peabench.networks import Network

RANK_TOLERANCE = 1e-3
"""Of a read-out's singular values, relative to its largest: what is smaller is rounding and no direction of its own."""

Definition = HiddenMarkovProcess | CausalModel
"""What the state is of: a process, in whose hidden state there is a belief, or a causal model with it as a variable."""


@dataclass(frozen=True)
class Tracked:
    """A state that a network keeps track of."""

    definition: Definition
    variable: str | None
    """Of the causal model."""
    position: int | EveryPosition
    """Of the sites. The state of a process there is what the tokens up to it tell."""

    def __post_init__(self) -> None:
        if isinstance(self.definition, CausalModel) and self.variable is None:
            raise MechanismError("expected a variable beside a causal model, got none; name one")

    @property
    def everywhere(self) -> bool:
        """Whether there is one at every position."""
        return isinstance(self.definition, HiddenMarkovProcess) and self.position == "*"

    def seen(self, inputs: Int[Tensor, "row column"]) -> Int[Tensor, "row seen"]:
        """The columns that the state is a function of."""
        one_of_several = isinstance(self.definition, HiddenMarkovProcess) and self.position != "*"
        return inputs[:, : int(self.position) + 1] if one_of_several else inputs

    def histories(self, inputs: Int[Tensor, "row column"]) -> Int[Tensor, "row #position"]:
        """A number for what is seen at each position of a state: alike for what is alike and nothing else."""
        return histories(self.seen(inputs), everywhere=self.everywhere)


def states(tracked: Tracked, inputs: Int[Tensor, "row column"]) -> Float[Tensor, "row #position k"]:
    """The state on each input.

    A Boolean is 0 or 1; another variable is 1 at the number of its value and 0 elsewhere.
    """
    definition, variable = tracked.definition, tracked.variable
    if isinstance(definition, HiddenMarkovProcess):
        beliefs = definition.beliefs(tracked.seen(inputs))
        return beliefs if tracked.everywhere else beliefs[:, -1:]
    value = definition.run(definition.read_inputs(inputs))[str(variable)].long()
    kind = definition.kinds[str(variable)]
    return (value[:, None, None] if isinstance(kind, Boolean) else one_hot(value, _values(kind))[:, None]).double()


def expected_outputs(
    tracked: Tracked, base: Int[Tensor, "row column"], source: Int[Tensor, "row column"]
) -> Float[Tensor, "row #position class"]:
    """How probable each output should be of base inputs in which the state is that of the sources.

    Of a state at one position of a process: there, and after each further token of the base; 0 where such tokens can
    not follow.
    """
    definition, variable = tracked.definition, str(tracked.variable)
    if isinstance(definition, HiddenMarkovProcess):
        beliefs = states(tracked, source)
        if not tracked.everywhere:
            beliefs = definition.continued(beliefs[:, 0], base[:, tracked.seen(base).shape[1] :])
        return definition.next_tokens(beliefs)
    value = definition.run(definition.read_inputs(source))[variable]
    output = definition.run(definition.read_inputs(base), {variable: value})[definition.output].long()
    return one_hot(output, _values(definition.kinds[definition.output]))[:, None].double()


def probabilities(logits: Float[Tensor, "*row output"]) -> Float[Tensor, "*row class"]:
    """How probable a network says that each output is; a single logit is that of the second of two."""
    logits = logits.double()
    if logits.shape[-1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], -1)
    return logits.softmax(-1)


def swap_basis(matrix: Float[Tensor, "d_model k"]) -> Float[Tensor, "d_model j"]:
    """Orthonormal columns that span what a read-out reads; none where it reads nothing."""
    directions, sizes, _ = torch.linalg.svd(matrix.double(), full_matrices=False)
    basis: Tensor = directions[:, sizes > RANK_TOLERANCE * sizes[:1].clamp(min=1e-30)].float()
    return basis


def swapped_outputs(
    base: Activations, source: Activations, site: str, matrix: Float[Tensor, "d_model k"]
) -> Float[Tensor, "row position class"]:
    """What a network puts out when all that a read-out reads at a site is taken from the sources, at every position."""
    basis = swap_basis(matrix)
    if basis.shape[1] == 0:
        return probabilities(base.logits)
    return probabilities(interchange(base.network, base, source, site, basis[None])[0])


def moved(
    got: Float[Tensor, "row position class"],
    before: Float[Tensor, "row position class"],
    expected: Float[Tensor, "row #position class"],
) -> float:
    """The share of the squared distance to the expected outputs that a swap removes: doing nothing is 0.

    Where fewer positions are expected than there are, they are the last ones. What cannot occur does not count.
    """
    queries, counts = expected.shape[1], can_occur(expected)
    left = float((got[:, -queries:] - expected)[counts].square().sum())
    return 1 - left / max(float((before[:, -queries:] - expected)[counts].square().sum()), 1e-30)


def can_occur(expected: Float[Tensor, "*row class"]) -> Bool[Tensor, "*row"]:
    """Where there are expected outputs: not where tokens cannot follow on a state."""
    return expected.sum(-1) > 0


def explained(truth: Float[Tensor, "point k"], guess: Float[Tensor, "point k"]) -> float:
    """R²: the share of the variance of all numbers of a state together that a guess explains."""
    spread = float((truth - truth.mean(0)).square().sum())
    return 1 - float((truth - guess).square().sum()) / max(spread, 1e-30)


def read_at(network: Network, activations: Activations, site: str) -> Float[Tensor, "row position d_model"]:
    """What the residual stream holds at a site's positions, in double precision."""
    return site_values(network, activations, site).double()


def inputs_that_occur(
    beliefs: Beliefs | None, domain: ProductDomain, count: int, generator: torch.Generator
) -> Int[Tensor, "row column"]:
    """Inputs drawn as they occur: as the process writes them, or as the domain has them."""
    if beliefs is not None and beliefs.process is not None:
        return beliefs.process.sample(count, len(domain.sizes), generator)
    return domain.sample(count, generator)


def histories(inputs: Int[Tensor, "row column"], *, everywhere: bool) -> Int[Tensor, "row #column"]:
    """A number for the tokens up to each column, or up to the last one: alike for those alone that are alike.

    Sums of products that wrap around: of thousands of them two are mistaken for each other once in 10^12 times.
    """
    multipliers = torch.randint(-(2**62), 2**62, (inputs.shape[1],), generator=torch.Generator().manual_seed(0)) | 1
    sums = ((inputs + 1) * multipliers).cumsum(1)
    return sums if everywhere else sums[:, -1:]


def first_of_each(numbers: Int[Tensor, "row #column"]) -> Bool[Tensor, "row #column"]:
    """Where a number occurs for the first time."""
    number = numbers.flatten().unique(return_inverse=True)[1]
    order = torch.arange(len(number))
    first = torch.full_like(order, len(order)).scatter_reduce(0, number, order, "amin")
    return (first[number] == order).view(numbers.shape)


def tracked_by(mechanism: Mechanism) -> Tracked:
    """The state of a mechanism's beliefs.

    Raises:
        MechanismError: it claims no beliefs.
    """
    if mechanism.beliefs is None:
        raise MechanismError("expected beliefs, got none; take `beliefs` out of the task's tracks")
    beliefs = mechanism.beliefs
    return Tracked(beliefs.process or mechanism.causal_model, beliefs.variable, beliefs.position)


def _values(kind: Kind) -> int:
    count = cardinality(kind)
    if count is None:
        raise MechanismError("expected one of finitely many values, got a real number; name another variable")
    return count
