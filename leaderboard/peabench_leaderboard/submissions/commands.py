"""`peabench submit` and `peabench grade`: from a scorer to a place on a board."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peabench.cli.output import JsonOption, note, print_json
from peabench.cli.running import (
    DEFAULT_OUT,
    Device,
    DeviceOption,
    JobsOption,
    MemoryOption,
    OutOption,
    TimeoutOption,
    refuse_missing_device,
    report_unanswered,
    run_with_bar,
)
from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from peabench_leaderboard.submissions.archive import Submitted
    from peabench_leaderboard.submissions.judging import Judged

HUB = "hf://datasets/"
DATASET = re.compile(rf"{HUB}[\w.-]+/[\w.-]+", re.ASCII)

ToOption = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE", help="Put it on a board: a folder of collected results, or hf://datasets/OWNER/NAME."
    ),
]
TruthOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The kept half of a sealed suite; without it, the installed tasks.")
]


def submit(
    what: Annotated[str, typer.Argument(metavar="SCORER|FILE", help="A scorer as for `run`, or a submission.")],
    name: Annotated[str | None, typer.Option(help="For the board; by default the scorer's own.")] = None,
    authors: Annotated[list[str] | None, typer.Option("--authors", help="An author; give it once for each.")] = None,
    url: Annotated[str, typer.Option(help="Where the method is described.")] = "",
    suite: Annotated[
        str | None, typer.Option(help="The suite to answer, by its name or folder; core if not given.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="Where the file has scorers of several tracks.")] = None,
    to: ToOption = None,
    file: Annotated[Path | None, typer.Option(help="To write; else NAME.SUITE.peabench.zip.")] = None,
    out: OutOption = DEFAULT_OUT,
    device: DeviceOption = Device.cpu,
    jobs: JobsOption = None,
    timeout: TimeoutOption = None,
    memory: MemoryOption = None,
) -> None:
    """Run a scorer on a suite, write its answers to one file, and show where it would stand.

    A run that was stopped continues. With the file of a submission in place of a scorer nothing is run. With --to it is
    put on a board too, or a pull request is opened on a results dataset of the Hugging Face Hub.
    """
    from peabench_leaderboard.submissions.archive import SUFFIX, read_archive
    from peabench_leaderboard.submissions.standing import describe_standing

    if to is not None:
        _refuse_bad_place(to)
    if what.endswith(SUFFIX):
        _refuse_options_of_a_run({"--name": name, "--authors": authors, "--url": url, "--track": track, "--file": file})
        path = Path(what)
    else:
        refuse_missing_device(device)
        options: dict[str, Any] = {"jobs": jobs, "timeout": timeout, "memory": memory}
        path = _made(what, name, authors or [], url, suite or "core", track, file, out, device.value, options)
    submitted = read_archive(path)
    judged = _judged_here(submitted, suite)
    if judged is None:
        note("The truth of its tasks is withheld: it is graded by who keeps it, with `peabench grade`.")
    else:
        describe_standing(judged, _board(to))
    if to is not None and to.startswith("hf://"):
        typer.echo(_proposed(submitted, to))
    elif to is not None:
        if judged is None:
            raise PeabenchError(
                f"{path} cannot be graded here, so it cannot stand on {to}; send it to who keeps the truth."
            )
        _put(judged, Path(to))


def grade(
    file: Annotated[Path, typer.Argument(metavar="SUBMISSION", help="A file that `peabench submit` wrote.")],
    truth: TruthOption = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder of collected results to put it into, verified.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a submission strictly, and grade its answers. None of its author's code is run.

    The same file gives the same results, and grading it twice puts it on the board once.
    """
    from peabench_leaderboard.submissions.archive import read_archive
    from peabench_leaderboard.submissions.board import refuse_no_board
    from peabench_leaderboard.submissions.judging import judge
    from peabench_leaderboard.submissions.standing import describe_standing
    from peabench_leaderboard.submissions.truth import suite_with_truth

    if to is not None:
        refuse_no_board(to)
    submitted = read_archive(file)
    judged = judge(submitted, *suite_with_truth(submitted.submission, truth), "verified")
    if json:
        print_json([result.model_dump(mode="json") for result in judged.results])
    else:
        describe_standing(judged, _board(None if to is None else str(to)))
    if to is not None:
        _put(judged, to)


def _refuse_bad_place(to: str) -> None:
    """Refuse what is neither a folder nor a results dataset, before a run that would be in vain."""
    from peabench_leaderboard.submissions.board import refuse_no_board

    if "://" not in to:
        refuse_no_board(Path(to))
    elif not DATASET.fullmatch(to):
        raise PeabenchError(f"A results dataset is named {HUB}OWNER/NAME, not {to!r}; a folder is named by its path.")


def _refuse_options_of_a_run(options: dict[str, object]) -> None:
    given = [option for option, value in options.items() if value]
    if given:
        raise PeabenchError(
            f"The file of a submission says all of that itself, so {given[0]} changes nothing; leave it out, or "
            "give the scorer to submit it anew."
        )


def _made(
    what: str,
    name: str | None,
    authors: list[str],
    url: str,
    suite_name: str,
    track: str | None,
    file: Path | None,
    out: Path,
    device: str,
    options: dict[str, Any],
) -> Path:
    """The submission's file, after a run of the scorer."""
    from peabench.discovery import find_scorers
    from peabench.runner import plan
    from peabench.suites import get_suite
    from peabench_leaderboard.submissions.archive import SUFFIX, archive_of, write_archive
    from peabench_leaderboard.submissions.making import refuse_bad_fields, submission_of
    from peabench_leaderboard.submissions.submission import SEED

    entries, _ = find_scorers([what], track)
    if len(entries) > 1:
        named = ", ".join(f"{entry.name} ({entry.track})" for entry in entries)
        raise PeabenchError(f"A submission is of one scorer, but {what} has {named}; give a file of one, or --track.")
    (entry,) = entries
    if entry.origin == "track":
        raise PeabenchError(f"{entry.name} is a reference of the track {entry.track}, which is no method to submit.")
    name = name or entry.name
    refuse_bad_fields(name, authors, url)
    suite = get_suite(suite_name)
    path = file or Path(f"{name}.{suite.name}-{suite.version}{SUFFIX}")
    if not path.name.endswith(SUFFIX):
        raise PeabenchError(f"The file of a submission ends in {SUFFIX}, not as {path.name} does; name it so.")
    results = run_with_bar(plan([entry], suite, seed=SEED, device=device), out, **options)
    report_unanswered(results, out)
    submission, answers = submission_of(results, out, entry, suite, name, authors, url)
    write_archive(path, archive_of(submission, answers))
    cells = f"{len(submission.answered)} of {len(submission.cells)} cells answered"
    note(f"Wrote {path}: {cells}, id {submission.id[:12]}.")
    return path


def _judged_here(submitted: "Submitted", suite_name: str | None) -> "Judged | None":
    """The submission graded by its author, or looked through where the truth is withheld."""
    from peabench_leaderboard.submissions.judging import judge, refuse_other_answers
    from peabench_leaderboard.submissions.truth import suite_to_answer

    suite, tasks = suite_to_answer(suite_name or submitted.submission.suite.name)
    if not all(task.has_truth for task in tasks.values()):
        refuse_other_answers(submitted, suite, tasks)
        return None
    return judge(submitted, suite, tasks, "self-reported")


def _board(to: str | None) -> Path:
    """The stored results to stand among: those of the board that it is put on, if it has any, else those shipped."""
    from peabench.collected import MANIFEST
    from peabench_leaderboard.command import PACKAGED

    return Path(to) if to is not None and (Path(to) / MANIFEST).exists() else PACKAGED


def _put(judged: "Judged", board: Path) -> None:
    from peabench_leaderboard.submissions.board import put_on_board

    told = {
        "added": "is added to",
        "replaced": "replaces its authors' earlier one on",
        "unchanged": "stands already on",
        "verified": "is verified now on",
    }
    note(f"{judged.document.scorer} {told[put_on_board(judged, board)]} {board}.")


def _proposed(submitted: "Submitted", to: str) -> str:
    """Address of the pull request."""
    from peabench.hub import propose
    from peabench_leaderboard.submissions.archive import SUFFIX

    repository = to.removeprefix(HUB)
    told = submitted.submission
    place = f"submissions/{told.track}/{told.name}.{told.suite.name}-{told.suite.version}{SUFFIX}"
    title = f"{told.name} on {told.suite.label} ({told.track})"
    lines = [
        f"Submission `{told.id}` of **{told.name}**, {len(told.answered)} of {len(told.cells)} cells answered.",
        f"By {', '.join(told.authors)}: {told.url}",
    ]
    return propose(repository, {place: submitted.path}, title, "\n\n".join(lines))
