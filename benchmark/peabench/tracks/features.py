"""Track `features`: what adds up to the activations at a site, and when does each part of it fire?"""

import torch
from jaxtyping import Int
from torch import Tensor

from peabench.errors import InvalidAnswer
from peabench.plain import refuse_odd_tensors
from peabench.tasks import Task
from peabench.tracks.feature_chance import chance_of
from peabench.tracks.feature_effects import causal_agreement
from peabench.tracks.feature_hierarchy import hierarchy_metrics
from peabench.tracks.feature_matching import match, pair_quality
from peabench.tracks.feature_questions import FeatureQuestion, make_question
from peabench.tracks.feature_references import Oracle, Probe, RandomDirections
from peabench.tracks.feature_truth import FeatureAnswer, feature_truth
from peabench.tracks.track import Track, above
from peabench.true_features import Contributions, feature_sites

__all__ = ["TRACK", "FeatureAnswer", "FeatureQuestion", "FeaturesTrack", "checked"]

LARGEST = 1e15
"""Of a number in an answer, so that no sum of squares overflows."""
MOST_MEMBERS = 16
"""Latents of one subspace."""


class FeaturesTrack(Track[FeatureQuestion, FeatureAnswer]):
    """How well the true features are matched one to one by answered latents, and these by them.

    The quality of a pair is the cosine between what the feature and what the latent add to the activations, each less
    its mean: for one dimension, correlation of firing times cosine of directions. `truth_side` is the mean quality of
    the best one-to-one matching over the true features, `answer_side` over the answered latents, dead ones included.
    The score is their harmonic mean, put on the scale on which as many random directions, in subspaces as large, earn 0
    (`chance`) and the truth 1, and no less than -1.

    Beside it: `cosine` and `firing`, the two factors of the matched pairs, 0 for a feature without a match; `causal`,
    how well moving activations by the latent's own firing and direction does what the feature's do, balanced as in
    `variables`; `absorption` and `splitting` over the parent-child edges.
    """

    name = "features"
    version = 2
    headline = "one-to-one matched features, from both sides, above random directions"
    question_type = FeatureQuestion
    answer_type = FeatureAnswer
    bounds = (-1.0, 1.0)
    collects_answers = False
    references = (Oracle(), Probe(), RandomDirections())
    nulls = ("permuted-decoder",)

    def questions(self, task: Task, generator_seed: int) -> list[FeatureQuestion]:
        """One question for each site with features that are used."""
        network = task.network()
        return [make_question(task, site, generator_seed, network) for site in feature_sites(task.mechanism)]

    def grade(self, task: Task, index: int, question: FeatureQuestion, answer: FeatureAnswer) -> dict[str, float]:
        """See the class."""
        answered, truth = checked(question, answer), feature_truth(task, question)
        matching = match(pair_quality(truth.all, answered))
        truth_side, answer_side, raw = matching.agreement(truth.free)
        chance = chance_of(task, question, truth, answered.features).raw
        metrics = {"score": max(above(raw, chance), self.bounds[0])}
        metrics |= {"truth_side": truth_side, "answer_side": answer_side, "chance": chance}
        metrics |= matching.factors(truth.all, answered, truth.free)
        metrics |= causal_agreement(task, question, truth, answered, matching)
        return metrics | hierarchy_metrics(truth, answered, matching)

    def twin_question(self, question: FeatureQuestion, task: Task) -> FeatureQuestion | None:
        """The same question about the random-init twin, whose activations nobody trained to hold these directions.

        Its inputs are another draw: anyone can draw the twin's weights, read inputs off its activations, and regress
        the activations of the task's own network on them. Only a task's first question has a twin's, for it costs a
        scorer as much as the question itself.
        """
        twin = task.twin("random_init")
        if twin is None or question.site != feature_sites(task.mechanism)[0]:
            return None
        return make_question(task, question.site, question.draw + 1, twin)


def checked(question: FeatureQuestion, answer: FeatureAnswer) -> Contributions:
    """What the answered latents add to the activations.

    Raises:
        InvalidAnswer: it is not an answer to this question.
    """
    if not isinstance(answer, FeatureAnswer):
        raise InvalidAnswer(f"Expected a FeatureAnswer, got a {type(answer).__name__}; answer directions and firing.")
    refuse_odd_tensors(answer)
    for name, value in (("directions", answer.directions), ("activations", answer.activations)):
        if not isinstance(value, Tensor) or value.dim() != 2 or not value.is_floating_point():
            raise InvalidAnswer(f"Expected floating-point {name} of two axes, got {_shape(value)}; answer a tensor.")
        if not bool((value.abs() <= LARGEST).all()):
            raise InvalidAnswer(f"Expected finite {name} of at most {LARGEST:g}, got others; answer such numbers only.")
    points, d_model = question.evaluation.shape
    latents = answer.directions.shape[0]
    if not 1 <= latents <= question.latents or answer.directions.shape[1] != d_model:
        raise InvalidAnswer(
            f"Expected directions of shape [1 to {question.latents}, {d_model}], got {_shape(answer.directions)}; "
            "answer at least one latent and at most the question's budget."
        )
    if answer.activations.shape != (points, latents):
        raise InvalidAnswer(
            f"Expected activations of shape [{points}, {latents}], one row for each evaluation point and one column "
            f"for each direction, got {_shape(answer.activations)}; reshape them."
        )
    numbers = torch.arange(latents) if answer.subspaces is None else _numbers(answer.subspaces, latents)
    return Contributions(answer.directions.double(), answer.activations.double(), numbers)


def _numbers(subspaces: Int[Tensor, " latent"], latents: int) -> Int[Tensor, " latent"]:
    integral = isinstance(subspaces, Tensor) and not subspaces.is_floating_point() and subspaces.dtype != torch.bool
    if not integral or subspaces.shape != (latents,):
        raise InvalidAnswer(f"Expected integer subspaces [{latents}], got {_shape(subspaces)}; number each latent's.")
    numbers: Tensor = subspaces.long().unique(return_inverse=True)[1]
    if int(numbers.bincount().max()) > MOST_MEMBERS:
        raise InvalidAnswer(f"Expected at most {MOST_MEMBERS} latents in a subspace, got more; split it.")
    return numbers


def _shape(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


TRACK = FeaturesTrack()
