"""Methods are confidently wrong on the networks that hold an illusion, and not where nothing deceives."""

from dataclasses import replace

import pytest

from peabench.catalogue import bundled_tasks
from peabench.illusions import Illusion, installed_illusions
from peabench.illusions.measures import absorption, measured, measured_on_null
from peabench.scorers import Scorer
from peabench.tasks import Task, load_task
from peabench.tracks.feature_questions import FeatureQuestion
from peabench.tracks.features import TRACK, FeatureAnswer

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


class Absorbing(Scorer[FeatureQuestion, FeatureAnswer]):
    """Answers with the truth, but for parents whose latents are silent where a child of theirs fires."""

    name = "absorbing"
    track = "features"
    reference = "None: made for these tests."

    def __init__(self, task: Task, silent: float) -> None:
        self.task, self.silent = task, silent

    def create(self) -> "Absorbing":
        return self

    def score(self, question: FeatureQuestion) -> FeatureAnswer:
        reference = next(one for one in TRACK.references if one.role == "oracle")
        answer: FeatureAnswer = reference.answer(question, self.task, [])
        features = [f for f in self.task.mechanism.features if f.site == question.site]
        names = [feature.name for feature in features]
        activations = answer.activations.clone()
        for child in features:
            for parent in child.parents:
                fires = answer.activations[:, names.index(child.name)] != 0
                activations[fires, names.index(parent)] *= 1 - self.silent
        return replace(answer, activations=activations)


def test_absorption_is_measured() -> None:
    folders = {task.id: task.folder for task in bundled_tasks()}
    task = load_task(folders["attributes/hierarchy-xs-0"])
    found = {silent: absorption(task, Absorbing(task, silent)).says for silent in (0.0, 0.5)}  # type: ignore[arg-type]
    assert found[0.0] == 0
    assert found[0.5] == pytest.approx(0.5, abs=0.05)
    assert measured_on_null(few("absorbed-feature")).wrong == 0


def test_there_are_all_eight() -> None:
    assert len(KNOWN) == 8
    assert {illusion.track for illusion in KNOWN.values()} == {"beliefs", "circuits", "features", "variables"}
