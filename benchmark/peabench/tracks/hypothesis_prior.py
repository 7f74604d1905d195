"""What the look of a hypothesis among its rivals says of its truth: a prior learnt over other tasks, no network run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from peabench.mechanism import Level, fingerprint
from peabench.tasks import Task
from peabench.tracks.candidates import Candidate, candidates_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Array = np.ndarray[Any, np.dtype[Any]]
DRAW = 0
"""Of the other tasks' hypotheses; their order does not matter."""


def hypothesis_features(candidates: Sequence[Candidate]) -> Float[Array, "hypothesis feature"]:
    """What is known of each hypothesis without a network, less its mean over the hypotheses of the question.

    Logarithm of its length as text, number of its inner variables, of the steps of its longest path and of its edges,
    number and sum of its frequencies; and how much it has in common with the others, on average: rivals that were made
    by changing the truth give it away as the one in their middle.
    """
    parts = [_parts(candidate) for candidate in candidates]
    rows = np.array(
        [
            (*_told(candidate), np.mean([_common(mine, other) for other in parts]))
            for candidate, mine in zip(candidates, parts, strict=True)
        ],
        dtype=float,
    )
    centred: Float[Array, "hypothesis feature"] = rows - rows.mean(0)
    return centred


def fit(task: Task, others: Sequence[Task], levels: Sequence[Level]) -> "Pipeline | None":
    """The prior for `task`: the log-odds of holding, learnt over the other tasks.

    Tasks with a hypothesis of this task's, be it in other names or of other columns, are left out: where networks are
    made for several of the same hypotheses, what holds of the others is just what rather does not hold of this one.
    None where nothing is left to learn from.
    """
    own = _all_candidates(task, levels)
    examples = [
        _examples(other, level)
        for other in others
        if not own & _all_candidates(other, levels)
        for level in levels
        if candidates_of(other, level, DRAW)
    ]
    if not examples:
        return None
    features = np.concatenate([part[0] for part in examples])
    holds = np.concatenate([part[1] for part in examples])
    if holds.all() or not holds.any():
        return None
    from sklearn.linear_model import LogisticRegression  # takes a second to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, holds)


def _all_candidates(task: Task, levels: Sequence[Level]) -> set[str]:
    return {_claimed(candidate) for level in levels for candidate, _ in candidates_of(task, level, DRAW)}


def _claimed(candidate: Candidate) -> str:
    """A text that candidates share which differ only in names and in which columns they are about."""
    model = candidate.causal_model
    return candidate.model_dump_json(exclude={"causal_model"}) + (fingerprint(model) if model else "")


def _examples(task: Task, level: Level) -> tuple[Float[Array, "hypothesis feature"], Bool[Array, " hypothesis"]]:
    found = candidates_of(task, level, DRAW)
    return hypothesis_features([candidate for candidate, _ in found]), np.array([holds for _, holds in found])


def _told(candidate: Candidate) -> tuple[float, ...]:
    model, frequencies = candidate.causal_model, candidate.frequencies or ()
    length = float(np.log(len(candidate.model_dump_json(exclude_none=True))))
    if model is None:
        return length, 0, 0, 0, len(frequencies), sum(frequencies)
    depth: dict[str, int] = {}
    for variable in model.variables:
        depth[variable.name] = max((1 + depth[parent] for parent in variable.parents), default=0)
    shape = (len(model.inner), max(depth.values()), len(model.edges))
    return length, *shape, len(frequencies), sum(frequencies)


def _parts(candidate: Candidate) -> frozenset[str]:
    """Everything that a hypothesis is made of: functions of its variables, frequencies, form."""
    model = candidate.causal_model
    functions = [variable.function for variable in model.variables] if model else []
    texts = {function.model_dump_json() for function in functions if function is not None}
    return frozenset(texts | {str(frequency) for frequency in candidate.frequencies or ()} | {str(candidate.form)})


def _common(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard similarity."""
    return len(one & other) / len(one | other)
