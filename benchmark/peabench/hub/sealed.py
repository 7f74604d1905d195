"""What is published of a sealed suite: questions, networks, commitments, and cards that say the truth is withheld."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from peabench.catalogue import QUESTIONS, RECORD, TaskSummary, is_sealed
from peabench.errors import PeabenchError
from peabench.suites import SUITE_FILE, Suite, suite_in


def is_sealed_suite(folder: Path) -> bool:
    """Whether a folder is a half of a sealed suite.

    Raises:
        PeabenchError: the document of its suite is malformed.
    """
    return (folder / SUITE_FILE).is_file() and suite_in(folder).sealed


def sealed_files(task: TaskSummary) -> Iterator[Path]:
    """The files that the folder of a sealed task must and may hold.

    Raises:
        PeabenchError: it holds the truth, or what sealing leaves out of its record, or is not whole.
    """
    from peabench import tracks
    from peabench.question_files import read_questions
    from peabench.sealing.halves import QUESTIONS_SEED, public_record, publishes_weights
    from peabench.tasks import WEIGHTS_FILE, load_task

    if not is_sealed(task.folder):
        raise PeabenchError(
            f"{task.folder} is no task whose truth is sealed; publish the half of the suite that `peabench seal` wrote "
            "to --out."
        )
    loaded = load_task(task.folder)
    if loaded.record != public_record(loaded.record):
        raise PeabenchError(f"{task.folder / RECORD} tells more than is published of a sealed task; seal again.")
    yield task.folder / RECORD
    if publishes_weights(loaded.record):
        loaded.network()
        yield task.folder / WEIGHTS_FILE
    for track in loaded.record.tracks:
        read_questions(loaded, tracks.get(track), QUESTIONS_SEED)
        yield from (task.folder / QUESTIONS / f"{track}{ending}" for ending in (".json", ".safetensors"))


def task_card(suite: Suite, task: TaskSummary) -> bytes:
    """The page of one task."""
    return f"""# {task.id}

A task of the sealed suite {suite.name} of Peabench, version {suite.version}, for {", ".join(task.tracks)}.

**Its truth is withheld**: here are the questions about the network, and the network where these hold it. The mechanism
that is revealed later must have this commitment:

    {suite.commitments[task.id]}
""".encode()


def sealed_card(suite: Suite, tasks: Sequence[TaskSummary]) -> str:
    """The repository's page, below its metadata."""
    sizes = ", ".join(sorted({task.size for task in tasks}))
    asked = ", ".join(sorted({track for task in tasks for track in task.tracks}))
    return f"""
# The sealed suite {suite.name} of Peabench, version {suite.version}

{suite.description}

**The truth of these tasks is withheld.** Of each of the {len(tasks)} tasks (sizes {sizes}; tracks {asked}) there are
the questions about a trained network, and the network where these hold it, one folder per task; there is no mechanism
and no certificate.
`{SUITE_FILE}` has a commitment to each mechanism, so that nobody can change it before it is revealed.

A method is submitted without seeing the truth, and graded by who keeps it:

    peabench download --suite {suite.name} --repo OWNER/NAME
    peabench submit ./my_scorer.py --suite {suite.name} --authors "A. Nyone" --url https://example.org/my-paper

Once the truth is revealed, anyone verifies it:

    peabench reveal DIR --verify {suite.name}
"""
