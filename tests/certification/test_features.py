"""Features are certified by moving activations along them, and a mechanism that is not true is found out."""

from pathlib import Path

import hand_features
import pytest
import torch

from peabench.certification import Check, certify
from peabench.certification.certify import certify_network, contradiction
from peabench.errors import PeabenchError
from peabench.mechanism import Constant, Mechanism
from peabench.tasks import Task, save_certificate

NAMES = ["behaviour", "features", "joint features", "features removed"]
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return hand_features.save_independent(tmp_path_factory.mktemp("independent"))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return hand_features.save_shapes(tmp_path_factory.mktemp("shapes"))


def checks_of(task: Task, mechanism: Mechanism) -> dict[str, Check]:
    found = certify_network(task.network(), mechanism, task.record.domain, task.twin("random_init"))
    return {check.name: check for check in found}


def changed(mechanism: Mechanism, name: str, direction: torch.Tensor) -> Mechanism:
    tensors = {item.name: mechanism.tensor(item.direction) for item in mechanism.features}
    return mechanism.with_tensors(tensors | {name: direction})


def test_features_that_are_true_pass(task: Task, shapes: Task) -> None:
    for some, names in ((task, NAMES), (shapes, [*NAMES, "decoy features"])):
        found = certify(some)
        assert [check.name for check in found] == names
        assert all(check.passed for check in found)
        assert all(check.null is not None and check.null.errors > check.null.cases / 3 for check in found)
        (share,) = [value for name, value in found[1].recorded.items() if name.startswith("share of the variance")]
        assert share > 0.999
        (least,) = [value for name, value in found[1].recorded.items() if name.startswith("least cosine")]
        assert least > 0.999


@pytest.mark.parametrize("factor", [0.0, 0.4, -1.0, 3.0])
def test_a_direction_of_the_wrong_size_is_found_out(task: Task, factor: float) -> None:
    """Only a move of half a feature or more flips its output; what leaks elsewhere does so when it is far too long."""
    truth = task.mechanism
    direction = truth.tensor(truth.features[1].direction)
    slanted = factor * direction if factor else hand_features.slanted(1, 8, seed=9)[0]
    found = checks_of(task, changed(truth, "x1", slanted))
    assert found["features"].passed == (factor == 3.0)
    assert found["joint features"].passed == (factor == 3.0)


def test_a_direction_that_leans_where_nobody_reads_passes_and_is_told(task: Task) -> None:
    """Moves cannot tell it from the truth; what the activations hold can."""
    truth, network = task.mechanism, task.network()
    idle = torch.linalg.svd(network.w_output.T).Vh[-1]
    leaning = truth.tensor(truth.features[1].direction) + 4 * idle
    check = checks_of(task, changed(truth, "x1", leaning))["features"]
    assert check.passed
    assert check.recorded["least cosine with what is held at resid.0@0"] < 0.6
    assert check.recorded["share of the variance at resid.0@0"] < 0.5


def test_directions_that_change_places_are_found_out(task: Task) -> None:
    truth = task.mechanism
    one, two = (truth.tensor(item.direction) for item in truth.features[:2])
    found = checks_of(task, changed(changed(truth, "x0", two), "x1", one))
    assert not any(found[name].passed for name in NAMES[1:])


def test_a_used_feature_is_no_decoy(shapes: Task) -> None:
    truth = shapes.mechanism
    signed = next(item for item in truth.features if item.name == "signed")
    renamed = truth.model_copy(
        update={
            "features": tuple(
                item.model_copy(update={"name": "decoy-signed"}) if item is signed else item for item in truth.features
            )
        }
    )
    assert not checks_of(shapes, renamed)["decoy features"].passed


def test_a_decoy_that_nobody_could_decode_is_none(shapes: Task) -> None:
    truth = shapes.mechanism
    network = shapes.network()
    with torch.no_grad():
        network.get_parameter("w_embed")[15] = 0  # where the decoy fires it adds nothing
    found = certify_network(network, truth, shapes.record.domain, shapes.twin("random_init"))
    (check,) = [check for check in found if check.name == "decoy features"]
    assert not check.passed
    assert check.recorded["decoy decoded (AUROC)"] < 0.6


def test_a_task_that_claims_no_features_cannot_serve_the_track(task: Task, tmp_path: Path) -> None:
    checks = certify(task)
    save_certificate(task.folder, checks)
    assert contradiction(task, checks) is None
    bare = task.mechanism.model_copy(update={"features": ()}).with_tensors({})
    without = hand_features.save(tmp_path, task.network(), bare, task.record.domain)  # type: ignore[arg-type]
    assert contradiction(without, []) == "task.json names the track features, and mechanism.json claims nothing for it"


def test_features_of_every_position_are_refused(task: Task) -> None:
    truth = task.mechanism
    features = tuple(item.model_copy(update={"site": "resid.0@*"}) for item in truth.features)
    with pytest.raises(PeabenchError, match="expected features at one position"):
        checks_of(task, truth.model_copy(update={"features": features}))


def test_a_feature_that_never_changes_is_never_removed(task: Task) -> None:
    truth = task.mechanism
    first = truth.features[0].model_copy(update={"activation": Constant(value=1.0)})
    claimed = truth.model_copy(update={"features": (first, *truth.features[1:])})
    assert checks_of(task, claimed)["features removed"].cases < certify(task)[3].cases
