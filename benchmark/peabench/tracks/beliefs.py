"""Track `beliefs`: where, and by which affine read-out, does the network hold a state that it should keep track of?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peabench.belief_states import (
    RANK_TOLERANCE,
    Definition,
    Tracked,
    expected_outputs,
    explained,
    inputs_that_occur,
    moved,
    probabilities,
    read_at,
    states,
    swapped_outputs,
    tracked_by,
)
from peabench.domain import ProductDomain
from peabench.errors import InvalidAnswer
from peabench.interventions import run_with_cache
from peabench.mechanism import CausalModel, MechanismError, SiteAddress
from peabench.networks import Network
from peabench.plain import refuse_odd_tensors
from peabench.tasks import Task
from peabench.tracks.belief_controls import best_control
from peabench.tracks.belief_points import Points, held_out
from peabench.tracks.locations import answered_site
from peabench.tracks.pairs import generator_from
from peabench.tracks.track import Reference, Track
from peabench.tracks.variables import without_descriptions

LEAST_HEADROOM = 0.05
"""Of R² between the controls and the truth. Where there is less, as the belief is all but in the next token's
probabilities, being as good as the truth is worth as little above the controls."""
ENOUGH = 0.5
"""Of what a swap along the certified read-out moves, that a swap along an answer must move to earn anything."""
LARGEST = 1e6
"""Of a number in an answer."""


@dataclass(frozen=True)
class BeliefQuestion:
    """Find a site, and an affine read-out of the state from what the residual stream holds there."""

    few_inputs: ClassVar[bool] = True
    network: Network
    domain: ProductDomain
    definition: Definition
    """What writes the tokens, where the state is what can be known of its hidden state (Bayes); else a causal model."""
    variable: str | None
    """Of the causal model: the state."""
    sites: tuple[str, ...]
    """Candidate sites `resid.L@*` (alike at every position) or `resid.L@P`, in order of depth."""
    inputs: Int[Tensor, "row column"]
    """As they occur. All the data that a method may learn from: the network runs on no others."""
    states: Float[Tensor, "row #position k"]
    """The exact state on each input, at every position of the sites."""
    generator: torch.Generator

    @property
    def tracked(self) -> Tracked:
        """The state: its definition, and at which position it is."""
        return Tracked(self.definition, self.variable, SiteAddress.parse(self.sites[0]).position)


@dataclass(frozen=True)
class BeliefAnswer:
    """The state is `x @ matrix + offset`, x being what the residual stream holds at the site."""

    site: str
    matrix: Float[Tensor, "d_model k"]
    offset: Float[Tensor, " k"]


class Oracle(Reference):
    """The certified read-out."""

    name = "oracle"
    track = "beliefs"
    role = "oracle"
    reference = "The task's certified mechanism."

    def answer(self, question: BeliefQuestion, task: Task, others: Sequence[Task]) -> BeliefAnswer:
        """The first certified one."""
        return certified(task)[0]


class BeliefsTrack(Track[BeliefQuestion, BeliefAnswer]):
    """R² on held-out inputs, above that of affine read-outs from elsewhere; 0 where a swap does not do what it should.

    Controls are affine read-outs of the tokens, of the outputs and their probabilities, and of the untrained twin at
    the answer's site, fitted to 4,096 drawn inputs; the best of them earns 0, and so does whatever is worse; the
    certified read-out earns 1. Then all that the answer reads of one input is put in place of what it reads of another
    (at every position at once where the state is one at every position), and outputs, those of later positions too,
    must move to where the state of the first would have them. No score is greater than how far they move as a share of
    how far they do along the certified read-out, in squared distance, and less than half as far earns 0. Decoding what
    nobody uses earns nothing.

    Beside it: `r2`; `control`, the best of the controls'; `certified_r2`; `moved`, the share of the squared distance
    that the swap removes (doing nothing is 0, the whole residual stream 1); `certified_moved`.
    """

    name = "beliefs"
    version = 2
    headline = "R² above controls, where a swap along the read-out moves the output as it should"
    question_type = BeliefQuestion
    answer_type = BeliefAnswer
    bounds = (0.0, 1.0)
    references = (Oracle(),)
    nulls = ("random-readout",)

    def questions(self, task: Task, generator_seed: int) -> list[BeliefQuestion]:
        """One question, with as many inputs as the record says."""
        mechanism, record = task.mechanism, task.record
        tracked = tracked_by(mechanism)
        definition = tracked.definition
        generator = generator_from("beliefs", str(generator_seed))
        inputs = inputs_that_occur(mechanism.beliefs, record.domain, record.examples, generator)
        network = task.network()
        return [
            BeliefQuestion(
                network=network,
                domain=record.domain,
                definition=without_descriptions(definition) if isinstance(definition, CausalModel) else definition,
                variable=tracked.variable,
                sites=tuple(f"resid.{layer}@{tracked.position}" for layer in range(network.graph.n_blocks + 1)),
                inputs=inputs,
                states=states(tracked, inputs),
                generator=generator,
            )
        ]

    def grade(self, task: Task, index: int, question: BeliefQuestion, answer: BeliefAnswer) -> dict[str, float]:
        """See the class."""
        given = checked(question, answer)
        points = held_out(task, question)
        with torch.no_grad():
            truths = [_measured(question, points, truth) for truth in certified(task)]
            best = max(r2 for r2, _ in truths)
            furthest = max(share for _, share in truths)
            r2, share = _measured(question, points, given)
            control = best_control(task, question, points, given.site)
        above = (r2 - control) / max(best - control, LEAST_HEADROOM)
        used = share / max(furthest, 1e-30)
        score = min(max(above, 0.0), used, 1.0) if used >= ENOUGH else 0.0
        return {
            "score": score,
            "r2": max(r2, -1.0),
            "control": control,
            "certified_r2": best,
            "moved": max(share, -1.0),
            "certified_moved": furthest,
        }


def certified(task: Task) -> list[BeliefAnswer]:
    """The certified read-outs of a task, as answers.

    Raises:
        MechanismError: it claims none.
    """
    beliefs = task.mechanism.beliefs
    if beliefs is None:
        raise MechanismError("expected beliefs, got none; take `beliefs` out of the task's tracks")
    return [
        BeliefAnswer(readout.site, task.mechanism.tensor(readout.matrix), task.mechanism.tensor(readout.offset))
        for readout in beliefs.readouts
    ]


def _measured(question: BeliefQuestion, points: Points, answer: BeliefAnswer) -> tuple[float, float]:
    """R² of a read-out on the held-out points, and how far its swap moves the outputs."""
    network, answer = question.network, telling(answer, points.states)
    base = run_with_cache(network, points.inputs)
    read = read_at(network, base, answer.site)[points.fresh]
    r2 = explained(points.states, read @ answer.matrix.double() + answer.offset.double())
    source = base.select(points.partner)
    expected = expected_outputs(question.tracked, points.inputs, points.inputs[points.partner])
    got = swapped_outputs(base, source, answer.site, answer.matrix)
    return r2, moved(got, probabilities(base.logits), expected)


def telling(answer: BeliefAnswer, states: Float[Tensor, "point k"]) -> BeliefAnswer:
    """A read-out without what it says that no two states differ in, as the sum of the numbers of a belief.

    What it reads for that has no part in its R², and so none in its swap.
    """
    middle = states.mean(0)
    _, sizes, axes = torch.linalg.svd(states - middle, full_matrices=False)
    kept = axes[sizes > RANK_TOLERANCE * sizes[0]]
    matrix, offset = answer.matrix.double() @ kept.T @ kept, (answer.offset.double() - middle) @ kept.T @ kept
    return BeliefAnswer(answer.site, matrix, middle + offset)


def checked(question: BeliefQuestion, answer: BeliefAnswer) -> BeliefAnswer:
    """The answer with its site in canonical form.

    Raises:
        InvalidAnswer: it is not an answer to this question.
    """
    if not isinstance(answer, BeliefAnswer):
        raise InvalidAnswer(f"Expected a BeliefAnswer, got a {type(answer).__name__}; answer a site and a read-out.")
    refuse_odd_tensors(answer)
    site = answered_site(answer.site, question.sites)
    width = question.states.shape[-1]
    for name, value, shape in (
        ("matrix", answer.matrix, (question.network.config.d_model, width)),
        ("offset", answer.offset, (width,)),
    ):
        if not isinstance(value, Tensor) or not value.is_floating_point() or tuple(value.shape) != shape:
            came = f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise InvalidAnswer(f"Expected a floating-point {name} {list(shape)}, got {came}; answer a tensor.")
        if not bool((value.abs() <= LARGEST).all()):
            raise InvalidAnswer(f"Expected finite numbers of at most {LARGEST:g} in {name}, got others; scale it.")
    return BeliefAnswer(site, answer.matrix, answer.offset)


TRACK = BeliefsTrack()
