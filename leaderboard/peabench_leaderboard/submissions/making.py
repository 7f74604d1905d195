"""From the results of a run to a submission."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from peabench.answers import read_answers
from peabench.cli.output import printable
from peabench.discovery import ScorerEntry
from peabench.documents import first_complaint
from peabench.errors import PeabenchError
from peabench.plain import Answer
from peabench.questions import question_hash
from peabench.results import CellResult
from peabench.suites import Suite
from peabench_leaderboard.submissions.submission import (
    Address,
    Method,
    ScorerName,
    Submission,
    SubmittedCell,
    SuiteName,
    Words,
    suite_hash,
)


def refuse_bad_fields(name: str, authors: Sequence[str], url: str) -> None:
    """Refuse what a submission cannot say, before a run that would be in vain.

    Raises:
        PeabenchError: a field is missing or does not fit.
    """
    checks: tuple[tuple[str, object, TypeAdapter[Any]], ...] = (
        ("--name", name, TypeAdapter(ScorerName)),
        ("--authors", list(authors), TypeAdapter(Annotated[list[Words], Field(min_length=1, max_length=100)])),
        ("--url", url, TypeAdapter(Address)),
    )
    needed = {
        "--name": "at most 64 lower-case letters, digits, '.', '_' and '-'",
        "--authors": "at least one name",
        "--url": "an address that begins with http:// or https://",
    }
    for option, value, adapter in checks:
        try:
            adapter.validate_python(value)
        except ValidationError:
            came = ", ".join(value) if isinstance(value, list) else value
            raise PeabenchError(f"{option} takes {needed[option]}, not {came or 'nothing'!r}; give it.") from None


def submission_of(
    results: Sequence[CellResult],
    run: Path,
    entry: ScorerEntry,
    suite: Suite,
    name: str,
    authors: Sequence[str],
    url: str,
) -> tuple[Submission, dict[str, dict[str, Answer]]]:
    """What the results of one scorer on a suite say as a submission, and its answers by task and question.

    Args:
        results: of every task of the suite that serves the scorer's track.
        run: folder that they are in.
        entry: the scorer.
        suite: that it was run on.
        name: as the method is to stand on the board.
        authors: their names.
        url: where the method is described.

    Raises:
        PeabenchError: a field does not fit, or answers are damaged.
    """
    environments: list[dict[str, str]] = []
    cells, answers = [], {}
    for result in sorted(results, key=lambda result: result.key.task):
        if result.environment not in environments:
            environments.append(result.environment)
        given = read_answers(run, result.key)
        if given is not None:
            answers[result.key.task] = given
        cells.append(_cell(result, given, environments.index(result.environment)))
    key = results[0].key
    try:
        method = Method(
            name=entry.name,
            version=entry.version,
            source_hash=key.source_hash,
            reference=entry.reference,
            deterministic=entry.deterministic,
            needs_gradients=entry.needs_gradients,
            supervision=entry.supervision,
            parameters=entry.parameters,
        )
        submission = Submission.model_validate(
            {
                "name": name,
                "authors": tuple(authors),
                "url": url,
                "track": key.track,
                "track_version": key.track_version,
                "method": method,
                "suite": SuiteName(name=suite.name, version=suite.version, sha256=suite_hash(suite)),
                "device": key.device,
                "environments": tuple(environments),
                "cells": tuple(cells),
            }
        )
    except ValidationError as error:
        raise PeabenchError(f"This cannot be submitted: {first_complaint(error)}; correct it.") from None
    return submission, answers


def _cell(result: CellResult, answers: Mapping[str, Answer] | None, environment: int) -> SubmittedCell:
    told = {"task": result.key.task, "content_hash": result.key.content_hash, "environment": environment}
    if answers is None:
        return SubmittedCell.model_validate(told | {"status": result.status, "reason": printable(result.reason)})
    return SubmittedCell.model_validate(
        told
        | {
            "status": "answered",
            "questions": {name: question_hash(result.key, name) for name in answers},
            "answer_hash": result.answer_hash,
            "cost": result.cost,
        }
    )
