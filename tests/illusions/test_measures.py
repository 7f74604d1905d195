"""Methods are confidently wrong on the networks that hold an illusion, and not where nothing deceives."""

from dataclasses import replace

import pytest

from peabench.catalogue import bundled_tasks
from peabench.illusions import Illusion, installed_illusions
from peabench.illusions.measures import measured, measured_on_null, nearness
from peabench.tasks import load_task
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.features import TRACK, FeatureAnswer
from peabench_baselines.features.neurons import Neurons

KNOWN = {illusion.name: illusion for illusion in installed_illusions()}


def few(name: str, **others: object) -> Illusion:
    """An illusion on the first of its tasks, in the interest of time."""
    known = KNOWN[name]
    return known.model_copy(update={"tasks": known.tasks[:1], "plain": known.plain[:1], **others})


@pytest.mark.parametrize(
    "illusion",
    [
        few("decodable-unused"),
        few("dormant-path", method="logistic-probe"),
        few("backup"),
        few("saturated-gradients", tasks=("programs/saturated-xs-0",), plain=("name_mover/mover-s-0",)),
        few("meaningful-attention"),
        few("cancelling-edges", tasks=("name_mover/cancelling-s-0",), plain=("name_mover/mover-s-0",)),
        few("random-init"),
    ],
    ids=lambda one: one.name,
)
def test_the_method_is_wrong_there_and_right_where_nothing_deceives(illusion: Illusion) -> None:
    there, plain = measured(illusion), measured_on_null(illusion)
    assert there.wrong > 0.35
    if illusion.measure == "attention":  # a head of the circuit matters on some inputs, not on all
        assert there.true == 0
        assert plain.true > 0.3
    else:
        assert plain.wrong < 0.1


def test_absorption_is_nothing_in_the_truth_and_measured_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    illusion = few("absorbed-feature", method="neurons")
    assert measured_on_null(illusion).wrong == 0
    folders = {task.id: task.folder for task in bundled_tasks()}
    task = load_task(folders[illusion.tasks[0]])
    (oracle,) = (one for one in TRACK.references if one.role == "oracle")

    def absorbing(self: Neurons, question: FeatureQuestion) -> FeatureAnswer:
        """The truth, but for parents whose latents fire half as strongly where a child of theirs fires."""
        answer: FeatureAnswer = oracle.answer(question, task, [])
        features = [feature for feature in task.mechanism.features if feature.site == question.site]
        names, activations = [feature.name for feature in features], answer.activations.clone()
        for child in features:
            for parent in child.parents:
                activations[answer.activations[:, names.index(child.name)] != 0, names.index(parent)] *= 0.5
        return replace(answer, activations=activations)

    monkeypatch.setattr(Neurons, "score", absorbing)
    assert measured(illusion).wrong == pytest.approx(0.5, abs=0.05)


def test_no_constant_and_no_random_look_is_near() -> None:
    """What is said of attention is 0 where heads look alike, and over all heads, of which a random choice takes one."""
    assert set(nearness({"a": 0.3, "b": 0.3, "c": 0.3}).values()) == {0.0}
    assert set(nearness({"a": 0.0, "b": 0.0}).values()) == {0.0}
    drawn = nearness({"a": 0.001, "b": 0.2, "c": 0.5, "d": 0.299})
    assert sum(drawn.values()) == pytest.approx(0, abs=1e-12)
    assert drawn["a"] > 0.99


def test_there_are_all_eight() -> None:
    assert len(KNOWN) == 8
    assert {illusion.track for illusion in KNOWN.values()} == {"beliefs", "circuits", "features", "variables"}
