"""Signs, circles, hierarchies and decoys."""

import pytest
import torch
from graded_features import asked, graded, score, truth_of

from peabench.tasks import Task
from peabench.tracks.feature_questions import feature_inputs
from peabench.tracks.feature_truth import feature_truth


def test_a_feature_split_in_two_costs_and_is_told(shapes: Task) -> None:
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    at = {name: i for i, name in enumerate(found.names)}
    parent, child = at["parent"], at["child0"]
    with_child = truth.activations[:, parent] * truth.activations[:, child]
    fired = truth.activations.clone()
    fired[:, parent] -= with_child
    directions = torch.cat([truth.directions, truth.directions[[parent]]])
    assert truth.subspaces is not None
    numbers = torch.cat([truth.subspaces, truth.subspaces.max()[None] + 1])
    metrics = graded(shapes, directions, torch.cat([fired, with_child[:, None]], 1), numbers)
    assert metrics["score"] < 0.93
    assert metrics["splitting"] > 0.05


def test_a_parent_absorbed_into_its_child_costs_and_is_told(shapes: Task) -> None:
    """The parent's latent is silent where the child's fires, which is written along both."""
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    at = {name: i for i, name in enumerate(found.names)}
    parent, child = at["parent"], at["child0"]
    fired, directions = truth.activations.clone(), truth.directions.clone()
    fired[:, parent] *= 1 - fired[:, child]
    directions[child] += directions[parent]
    metrics = graded(shapes, directions, fired, truth.subspaces)
    assert metrics["absorption"] == pytest.approx(0.5)  # one of two children, wholly
    assert metrics["splitting"] < 0.05
    assert metrics["score"] < 0.93


def test_a_sign_that_direction_and_firing_share_is_free_and_no_other(shapes: Task) -> None:
    truth = truth_of(shapes)
    assert score(shapes, -truth.directions, -truth.activations, truth.subspaces) == 1
    assert score(shapes, -truth.directions, truth.activations, truth.subspaces) < 0
    assert score(shapes, truth.directions * 5, truth.activations / 3, truth.subspaces) == 1


def test_one_direction_may_fire_for_absence(independent: Task) -> None:
    """Adding v where a feature fires and -v where it does not differ by a constant."""
    truth = truth_of(independent)
    assert score(independent, -truth.directions, 1 - truth.activations) == 1


def test_a_signed_feature_is_one_feature(shapes: Task) -> None:
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    signed = found.names.index("signed")
    both = truth.activations[:, [signed]]
    directions = torch.cat([truth.directions, -truth.directions[[signed]]])
    fired = torch.cat([truth.activations, (-both).relu()], 1)
    fired[:, signed] = fired[:, signed].relu()
    assert truth.subspaces is not None
    apart = torch.cat([truth.subspaces, truth.subspaces.max()[None] + 1])
    together = torch.cat([truth.subspaces, truth.subspaces[[signed]]])
    assert score(shapes, directions, fired, together) == 1
    assert score(shapes, directions, fired, apart) < 0.9


def test_a_circle_is_found_as_a_subspace_in_any_basis(shapes: Task) -> None:
    truth, found = truth_of(shapes), feature_truth(shapes, asked(shapes))
    circle = [found.names.index(name) for name in ("day_x", "day_y")]
    turn = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    directions, fired = truth.directions.clone(), truth.activations.clone()
    directions[circle], fired[:, circle] = turn @ directions[circle], fired[:, circle] @ turn.T
    assert score(shapes, directions, fired, truth.subspaces) == 1
    assert score(shapes, directions, fired) < 0.9  # two features of one dimension each are no circle


def test_seven_days_are_a_circle_once_they_are_one_subspace(shapes: Task) -> None:
    question, truth = asked(shapes), truth_of(shapes)
    found = feature_truth(shapes, question)
    circle = [found.names.index(name) for name in ("day_x", "day_y")]
    others = [i for i in range(len(truth.directions)) if i not in circle]
    day = feature_inputs(shapes, question.site, question.draw).evaluation[:, 0]
    angles = 2 * torch.pi * torch.arange(7) / 7
    rays = torch.stack([angles.cos(), angles.sin()], 1) @ truth.directions[circle]
    fires = torch.nn.functional.one_hot(day, 7).float()
    assert truth.subspaces is not None
    numbers = torch.cat([torch.full((7,), -1), truth.subspaces[others]])
    directions = torch.cat([rays, truth.directions[others]])
    activations = torch.cat([fires, truth.activations[:, others]], 1)
    assert score(shapes, directions, activations, numbers) == 1
    assert score(shapes, directions, activations) < 0.75


def test_a_decoy_neither_gains_nor_costs(shapes: Task) -> None:
    question, truth = asked(shapes), truth_of(shapes)
    idle = feature_inputs(shapes, question.site, question.draw).evaluation[:, 3:4].float()
    mechanism = shapes.mechanism
    (decoy,) = [mechanism.tensor(item.direction) for item in mechanism.features if item.name == "decoy"]
    assert truth.subspaces is not None
    for copies, expected in ((1, 1.0), (2, 0.95)):
        directions = torch.cat([truth.directions, decoy.expand(copies, -1)])
        fired = torch.cat([truth.activations, idle.expand(-1, copies)], 1)
        numbers = torch.cat([truth.subspaces, 100 + torch.arange(copies)])
        earned = score(shapes, directions, fired, numbers)
        assert earned == 1 if copies == 1 else earned < expected
    assert score(shapes, decoy[None], idle) < 0
