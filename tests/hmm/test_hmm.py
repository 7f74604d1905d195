"""The family `hmm`: its processes, what is planted, and its causal model."""

from collections.abc import Callable
from itertools import product
from operator import and_, xor
from pathlib import Path

import pytest
import torch
from sklearn.linear_model import LinearRegression

from peabench.interventions import run_with_cache, site_values
from peabench.networks import TransformerConfig
from peabench_tasks.hmm import planting
from peabench_tasks.hmm.mechanism import bayes_filter
from peabench_tasks.hmm.planting import Plan, simplex, train_planted
from peabench_tasks.hmm.processes import PROCESSES, ProcessName
from peabench_tasks.hmm.specifications import BEFORE, FURTHER, Specification, specifications

NAMES: tuple[ProcessName, ...] = ("rrxor", "rrand", "ring", "mess3")


@pytest.mark.parametrize("name", NAMES)
def test_a_process_begins_in_its_stationary_distribution(name: ProcessName) -> None:
    process = PROCESSES[name]()
    start = torch.tensor(process.start, dtype=torch.float64)
    assert torch.allclose(start @ process.matrices().sum(0), start)


@pytest.mark.parametrize(("name", "third"), [("rrxor", xor), ("rrand", and_)])
def test_every_third_token_is_a_function_of_the_two_before_it(
    name: ProcessName, third: Callable[[int, int], int]
) -> None:
    """Words are those that can be cut from the middle of triples, wherever the cut is."""
    triples = [(one, other, third(one, other)) for one, other in product((0, 1), repeat=2)]
    long = [sum(some, ()) for some in product(triples, repeat=3)]
    expected = {word[cut : cut + 6] for word in long for cut in range(3)}
    assert {tuple(row) for row in PROCESSES[name]().words(6).tokens.tolist()} == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_belief_is_no_linear_function_of_the_next_token_but_for_mess3(name: ProcessName) -> None:
    process = PROCESSES[name]()
    beliefs = process.beliefs(process.words(BEFORE[name]).tokens)[:, -1]
    following = process.next_tokens(beliefs)
    explained = LinearRegression().fit(following.numpy(), beliefs.numpy()).score(following.numpy(), beliefs.numpy())
    assert explained > 0.999 if name == "mess3" else explained < 0.5


@pytest.mark.parametrize("specification", specifications(), ids=lambda specification: specification.name)
def test_the_causal_model_is_the_bayes_filter(specification: Specification) -> None:
    process, length = specification.process, specification.length
    tokens = process.words(length).tokens
    model = bayes_filter(process, length)
    run = model.run(model.read_inputs(tokens))
    for step in (0, length - 1):
        weights = torch.stack([run[f"state{state}_after{step}"] for state in range(process.n_states)], 1)
        assert torch.allclose(weights / weights.sum(1, keepdim=True), process.beliefs(tokens)[:, step])
    assert torch.allclose(weights.sum(1), process.words(length).probability)
    following = process.next_tokens(process.beliefs(tokens))[:, -1]
    sure = following.topk(2).values.diff(dim=1)[:, 0] < -1e-6
    assert torch.equal(run["likeliest"][sure], following.argmax(1)[sure])


@pytest.mark.parametrize("name", NAMES)
def test_what_follows_tells_any_two_beliefs_apart(name: ProcessName) -> None:
    """Probabilities of all that may follow are as many linear functions of the belief as it has numbers."""
    process = PROCESSES[name]()
    start = torch.eye(process.n_states, dtype=torch.float64)

    followers = torch.tensor(list(product(range(process.n_tokens), repeat=FURTHER[name] + 1)))
    weights = start.expand(len(followers), -1, -1)
    for tokens in followers.T:
        weights = weights @ process.matrices()[tokens]
    assert int(torch.linalg.matrix_rank(weights.sum(-1))) == process.n_states


def test_corners_are_as_far_from_each_other_as_from_any_other() -> None:
    corners = simplex(4)
    distances = torch.cdist(corners, corners)[~torch.eye(4, dtype=torch.bool)]
    assert torch.allclose(distances, distances[0].expand(12), atol=1e-5)
    assert torch.allclose(corners.sum(0), torch.zeros(3), atol=1e-5)


def test_what_is_planted_is_there_and_training_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = TransformerConfig(
        d_vocabulary=2, n_positions=4, d_model=12, n_blocks=2, n_heads=2, d_head=6, d_mlp=24, d_output=2
    )
    plan = Plan(PROCESSES["ring"](), network, planted=1, position=1, steps=150)
    monkeypatch.setattr(planting, "ROWS", 12)
    monkeypatch.setattr(planting, "SAVE_EVERY", 40)
    whole = train_planted(plan, 0, tmp_path / "whole.safetensors")
    words = plan.process.words(4).tokens
    run = run_with_cache(whole.network.requires_grad_(False), words)
    held = site_values(whole.network, run, "resid.1@1")[:, 0] @ whole.basis
    beliefs = plan.process.beliefs(words)[:, 1]
    explained = LinearRegression().fit(held.numpy(), beliefs.numpy()).score(held.numpy(), beliefs.numpy())
    assert explained > 0.7  # in the same directions of the untrained network it is .49

    class Killed(Exception):
        pass

    with monkeypatch.context() as killing:
        calls = iter(range(100))
        rate = planting.schedule

        def schedule(share: float, warm_up: float) -> float:
            if next(calls, None) is None:
                raise Killed
            return rate(share, warm_up)

        killing.setattr(planting, "schedule", schedule)
        with pytest.raises(Killed):
            train_planted(plan, 0, tmp_path / "halves.safetensors")
    again = train_planted(plan, 0, tmp_path / "halves.safetensors")
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, whole.network.state_dict()[name])
