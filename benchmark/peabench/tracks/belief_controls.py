"""How well a state is read off anything but the trained network's inner activations."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from peabench.affine import ridge
from peabench.belief_states import expected_outputs, explained, probabilities, read_at
from peabench.interventions import run_with_cache
from peabench.tasks import Task
from peabench.tracks.belief_points import Points

if TYPE_CHECKING:
    from peabench.tracks.beliefs import BeliefQuestion

PENALTIES = (1e-8, 1e-6, 1e-4, 1e-2)
"""Of which the best on the held-out points themselves is taken: a control is given every chance."""


def best_control(task: Task, question: "BeliefQuestion", points: Points, site: str) -> float:
    """The greatest R² of affine read-outs fitted to the question's inputs; at least 0, that of the mean."""
    sides = question.inputs, points.inputs
    tracked = question.tracked
    tokens = [
        token_features(tracked.seen(inputs), question.domain.sizes, everywhere=tracked.everywhere) for inputs in sides
    ]
    found = [tokens, [_output_features(question, inputs) for inputs in sides]]
    twin = task.twin("random_init")
    if twin is not None:
        found.append([read_at(twin, run_with_cache(twin, inputs), site) for inputs in sides])
    return max([0.0, *(_best(question, points, *features) for features in found)])


def token_features(
    inputs: Int[Tensor, "row column"], sizes: tuple[int, ...], *, everywhere: bool
) -> Float[Tensor, "row #column feature"]:
    """Which tokens there are, by their columns, up to the last one; at every position also by how far back they are."""
    hot = one_hot(inputs, max(sizes)).double()
    if not everywhere:
        return hot.flatten(1)[:, None]
    columns = torch.arange(inputs.shape[1])
    back = columns[:, None] - columns
    seen = (back >= 0)[..., None]
    by_column = hot[:, None] * seen
    by_distance = hot[:, back.clamp(min=0)] * seen
    return torch.cat([by_column.flatten(2), by_distance.flatten(2)], 2)


def _output_features(
    question: "BeliefQuestion", inputs: Int[Tensor, "row column"]
) -> Float[Tensor, "row #position feature"]:
    """The outputs' exact probabilities, those that the network gives, and its logits, where the state is."""
    exact = expected_outputs(question.tracked, inputs, inputs)
    logits = question.network(inputs)[:, -exact.shape[1] :].double()
    return torch.cat([exact, probabilities(logits), logits], 2)[:, : question.states.shape[1]]


def _best(
    question: "BeliefQuestion",
    points: Points,
    training: Float[Tensor, "row #position feature"],
    held_out: Float[Tensor, "row #position feature"],
) -> float:
    rows, targets = training.flatten(0, 1), question.states.flatten(0, 1)
    fits = [ridge(rows, targets, penalty) for penalty in PENALTIES]
    return max(explained(points.states, fit(held_out[points.fresh])) for fit in fits)
