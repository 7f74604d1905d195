"""How well a state can be read off anything but the trained network's inner activations, at best.

Scorers get few inputs. Were controls fitted to as few, they would be low for lack of inputs, and what the tokens alone
tell could be above them.
"""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from peabench.affine import ridge
from peabench.belief_states import expected_outputs, explained, first_of_each, probabilities, read_at, states
from peabench.interventions import run_with_cache
from peabench.tasks import Task
from peabench.tracks.belief_points import Points

if TYPE_CHECKING:
    from peabench.tracks.beliefs import BeliefQuestion

ROUNDING = 1e-9
"""Penalty that only keeps the equations from being singular."""


def best_control(task: Task, question: "BeliefQuestion", points: Points, site: str) -> float:
    """The greatest R² on the held-out points of affine read-outs fitted to all drawn inputs; at least 0, the mean's."""
    sides = points.population, points.inputs
    tracked, sizes = question.tracked, question.domain.sizes
    found = [
        [token_features(tracked.seen(inputs), sizes, everywhere=tracked.everywhere) for inputs in sides],
        [_output_features(question, inputs) for inputs in sides],
    ]
    twin = task.twin("random_init")
    if twin is not None:
        found.append([read_at(twin, run_with_cache(twin, inputs), site) for inputs in sides])
    once = first_of_each(tracked.histories(points.population))
    exact = states(tracked, points.population)[once]
    fits = [ridge(everywhere[once], exact, ROUNDING) for everywhere, _ in found]
    reached = [fit(held_out[points.fresh]) for fit, (_, held_out) in zip(fits, found, strict=True)]
    return max([0.0, *(explained(points.states, guess) for guess in reached)])


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
