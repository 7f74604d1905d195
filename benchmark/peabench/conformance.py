"""Whether a scorer keeps the contract, on a few small tasks: for `peabench check`, and for its author's own tests.

    from peabench.conformance import assert_conforms

    def test_my_scorer_keeps_the_contract():
        assert_conforms(MyScorer)

It runs the scorer in this very process, with the truth beside it: a scorer's author has no secrets from themselves.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from peabench.answering import ask_one, reason_of
from peabench.boards import SIZES
from peabench.catalogue import TaskSummary
from peabench.discovery import ScorerEntry, entry_of
from peabench.errors import PeabenchError
from peabench.grading import grade_cell
from peabench.isolation import one_thread
from peabench.plain import Answer, plain
from peabench.questions import answering_seed, index_of, is_twin, questions_of
from peabench.regauging import save_regauged
from peabench.results import SCORE, CellKey, answer_hash
from peabench.scorers import Scorer
from peabench.tasks import Task, load_task

SMALL_SUITE = "smoke"
TASKS = 2
GAUGE_TOLERANCE = 0.02
"""Of a score: a re-gauged network computes the same up to float32, so a logit of about 0 may change its sign."""

Verdict = Literal["passed", "failed", "not claimed", "not reached"]
CHECKS = {
    "answers": "every question gets an answer, or a reason to decline it",
    "data": "answers are finite data of the track's form",
    "network": "the network is left as it was found",
    "repeats": "the same question with the same seed gets the same answer",
    "order": "an answer does not depend on what was asked before",
    "passes": "no backward passes are run that are not declared",
    "gauge": "a re-gauged copy of the network earns the same score",
}
"""What is checked, by name."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    task: str = ""
    problem: str = ""
    """What was expected and what came; empty where there is no problem."""
    advice: str = ""
    """What to do about it."""


@dataclass(frozen=True)
class Asking:
    """A scorer, and the questions of a task that it is asked."""

    create: Callable[[], Any]
    """Makes a fresh scorer."""
    entry: ScorerEntry
    task: Task
    key: CellKey
    questions: dict[str, Any]

    def ask(self, name: str, scorer: "Scorer[Any, Any] | None" = None) -> tuple[Answer | str, float]:
        """The answer to a question or the reason to decline it, and how many backward passes it took."""
        chosen: Any = scorer or self.create()

        def answerer(question: Any) -> object:
            reason = chosen.applicable(question)
            if reason is not None and not (isinstance(reason, str) and reason.strip()):
                raise PeabenchError(f"Expected `applicable` to return a reason or None, got {reason!r}.")
            return _Declined(reason) if reason is not None else chosen.score(question)

        answer, cost = ask_one(self.questions[name], answering_seed(self.key, name), "cpu", answerer)
        return (answer.reason if isinstance(answer, _Declined) else plain(answer)), cost.backward_passes


@dataclass(frozen=True)
class _Declined:
    reason: str


def findings(scorer: "type[Scorer[Any, Any]] | ScorerEntry", tasks: Sequence[Path] | None = None) -> Iterator[Finding]:
    """What every check finds, in the order of `CHECKS`, one finding for each.

    Args:
        scorer: a class, or an entry from `peabench.discovery`.
        tasks: folders of tasks that serve its track; by default the smallest of the suite `smoke`, or of all that are
            here where that has none.

    Raises:
        PeabenchError: it is no scorer at all, or no task serves its track.
    """
    entry = scorer if isinstance(scorer, ScorerEntry) else entry_of(scorer)
    create = scorer.create if isinstance(scorer, ScorerEntry) else scorer
    with one_thread():
        asked = [_asking(create, entry, load_task(folder)) for folder in tasks or small_tasks(entry.track)]
        for check in CHECKS:
            yield _finding(check, entry, asked)


def assert_conforms(scorer: "type[Scorer[Any, Any]]", tasks: Sequence[Path] | None = None) -> None:
    """Fail with a line for each check that a scorer does not pass.

    Raises:
        AssertionError: there is one.
    """
    failed = [found for found in findings(scorer, tasks) if found.verdict == "failed"]
    if failed:
        lines = (f"{found.check} ({CHECKS[found.check]}): {found.problem} {found.advice}" for found in failed)
        raise AssertionError(f"{scorer.__name__} does not keep the contract:\n" + "\n".join(lines))


def small_tasks(track: str) -> list[Path]:
    """Folders of the smallest tasks of the suite `smoke` that serve a track; where it has none, of all that are here.

    Raises:
        PeabenchError: there is none.
    """
    from peabench.catalogue import installed_tasks, is_sealed
    from peabench.suites import get_suite, tasks_of

    def size(task: TaskSummary) -> tuple[int, str]:
        return SIZES.index(task.size) if task.size in SIZES else len(SIZES), task.id

    smoke = [task for task in tasks_of(get_suite(SMALL_SUITE)) if track in task.tracks]
    others = (task for task in installed_tasks() if track in task.tracks and not is_sealed(task.folder))
    found = sorted(smoke or others, key=size)
    if not found:
        raise PeabenchError(f"No task that is here serves the track {track}; name folders of tasks.")
    return [task.folder for task in found[:TASKS]]


class _Problem(Exception):
    """A check is not passed: what came, and what to do."""


def _asking(create: Callable[[], Any], entry: ScorerEntry, task: Task) -> Asking:
    from peabench import tracks

    key = CellKey(
        track=entry.track,
        track_version=tracks.get(entry.track).version,
        scorer=entry.name,
        scorer_version=entry.version,
        source_hash=entry.content_hash,
        task=task.record.id,
        content_hash="",
        others_hash="",
        seed=0,
        device="cpu",
    )
    return Asking(create, entry, task, key, questions_of(key, task))


def _finding(check: str, entry: ScorerEntry, asked: Sequence[Asking]) -> Finding:
    claimed = {"repeats": entry.deterministic, "order": entry.deterministic, "gauge": entry.gauge_invariant}
    if not claimed.get(check, True):
        return Finding(check, "not claimed")
    for asking in asked:
        try:
            _RUNS[check](asking)
        except _Problem as found:
            problem, advice = found.args
            return Finding(check, "failed", asking.task.record.id, problem, advice)
        except _NotReached:
            return Finding(check, "not reached", asking.task.record.id)
    return Finding(check, "passed")


class _NotReached(Exception):
    """An earlier check says already why this one cannot be made."""


def _answers(asking: Asking) -> None:
    for name in asking.questions:
        try:
            asking.ask(name)
        except PeabenchError:  # another check's
            continue
        except Exception as error:
            raise _Problem(
                f"Question {name} raised {reason_of(error)}.",
                "Return a reason from `applicable` where the method does not apply, and mend what else it is.",
            ) from error


def _data(asking: Asking) -> None:
    try:
        given = {name: asking.ask(name)[0] for name in asking.questions}
    except PeabenchError as error:
        if "network" in str(error):
            raise _NotReached from error
        raise _Problem(str(error), "See docs/scorers.md for what an answer of the track holds.") from error
    except Exception as error:
        raise _NotReached from error
    answers = {name: answer for name, answer in given.items() if isinstance(answer, dict)}
    if len(answers) < len(given):
        return  # it declined
    try:
        grade_cell(asking.key, asking.task, answers, asking.questions)
    except PeabenchError as error:
        raise _Problem(str(error), "See docs/scorers.md for what an answer of the track holds.") from error


def _network(asking: Asking) -> None:
    try:
        for name in asking.questions:
            asking.ask(name)
    except PeabenchError as error:
        if "network" in str(error):
            raise _Problem(
                str(error), "Work on `copy.deepcopy(question.network)`, or put back what you change."
            ) from error
    except Exception as error:
        raise _NotReached from error


def _repeats(asking: Asking) -> None:
    for name in asking.questions:
        if _hash(asking, name) != _hash(asking, name):
            raise _Problem(
                f"Question {name} got two answers under one seed.",
                "Take all randomness from `question.generator`, or declare `deterministic = False`.",
            )


def _order(asking: Asking) -> None:
    alone = {name: _hash(asking, name) for name in asking.questions}
    scorer = asking.create()
    for name in reversed(list(asking.questions)):
        if _hash(asking, name, scorer) != alone[name]:
            raise _Problem(
                f"Question {name} got another answer when it was asked after others.",
                "Keep nothing on the instance or in module globals from one question to the next.",
            )


def _passes(asking: Asking) -> None:
    if asking.entry.needs_gradients:
        return
    for name in asking.questions:
        passes = _quietly(partial(asking.ask, name))[1]
        if passes:
            raise _Problem(
                f"Question {name} took {passes:g} backward example-passes, and none are declared.",
                "Declare `needs_gradients = True`.",
            )


def _gauge(asking: Asking) -> None:
    with TemporaryDirectory() as folder:
        task = save_regauged(Path(folder), asking.task, asking.task.record, torch.Generator().manual_seed(0))
        there = replace(asking, task=task)
        there = replace(there, questions=questions_of(there.key, there.task))
        before, after = _scores(asking), _scores(there)
    for name, score in before.items():
        if abs(after[name] - score) > GAUGE_TOLERANCE:
            raise _Problem(
                f"Question {name} earns {score:.3f}, and {after[name]:.3f} on a network with other weights that "
                "computes the same.",
                "Read nothing from the order, scale or basis of hidden units, or declare `gauge_invariant = False`.",
            )


_RUNS: dict[str, Callable[[Asking], None]] = {
    "answers": _answers,
    "data": _data,
    "network": _network,
    "repeats": _repeats,
    "order": _order,
    "passes": _passes,
    "gauge": _gauge,
}


def _hash(asking: Asking, name: str, scorer: Any = None) -> str:
    return answer_hash(_quietly(partial(asking.ask, name, scorer))[0])


def _quietly(ask: Callable[[], tuple[Answer | str, float]]) -> tuple[Answer | str, float]:
    """What asking gives, where no earlier check has failed on it."""
    try:
        return ask()
    except Exception as error:
        raise _NotReached from error


def _scores(asking: Asking) -> dict[str, float]:
    """The score of each question that is answered."""
    names = [name for name in asking.questions if not is_twin(name)]
    answers = {name: _quietly(partial(asking.ask, name))[0] for name in asking.questions}
    if not all(isinstance(answer, dict) for answer in answers.values()):
        raise _NotReached
    try:
        graded = grade_cell(asking.key, asking.task, answers, asking.questions)  # type: ignore[arg-type]
    except PeabenchError as error:
        raise _NotReached from error
    return {name: graded[index_of(name)][SCORE] for name in names}
