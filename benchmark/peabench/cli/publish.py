"""`peabench publish`: put a suite of tasks on the Hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peabench.cli.certify import measured_again
from peabench.cli.output import JsonOption, note, print_json
from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from peabench.hub import Release


def publish(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Task folders, at any depth, and nothing else; or a sealed suite.")
    ],
    repo: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Repository on the Hub; made if it is not there.")],
    suite: Annotated[str | None, typer.Option(help="Name of the suite; full if not given.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Version of the suite; 1 if not given.")] = None,
    description: Annotated[str | None, typer.Option(help="A sentence for its page.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really upload; without it nothing leaves this machine.")] = False,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the commit and the manifest's sum as JSON.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Check tasks, measure their certificates again, and upload them with manifest and card in one commit.

    The repository then holds this suite and nothing else. Of a sealed suite, give the half that is published: it goes
    out under its own name, with its commitments. --record benchmark/peabench/hub/published.json makes what was
    published the default of `peabench download`.
    """
    from peabench.hub import prepare
    from peabench.hub import publish as to_the_hub
    from peabench.storage import write_whole

    release = prepare(folder, suite, version, description)
    if (
        not release.suite.sealed
    ):  # who keeps the truth measured them when it was sealed, and anyone can once it is revealed
        _refuse_untrue(release, jobs)
    if not yes:
        if json:
            print_json(_listing(release) | {"published": None})
        else:
            note(f"{_summary(release)} would be published as {repo} in one commit. Nothing was sent; --yes does it.")
        return
    done = to_the_hub(release, repo)
    if record is not None:
        write_whole(record, done.model_dump_json(indent=1).encode() + b"\n")
    if json:
        print_json(_listing(release) | {"published": done.model_dump(mode="json")})
    else:
        note(f"{_summary(release)} are commit {done.revision} of {repo}; manifest {done.manifest_sha256}.")


def _refuse_untrue(release: "Release", jobs: int | None) -> None:
    for result in measured_again(release.tasks, None, jobs):
        if not result["passed"]:
            failed = ", ".join(check["name"] for check in result["checks"] if not check["passed"])
            raise PeabenchError(
                f"The certificate of {result['task']} does not hold when it is measured again "
                f"({result['problem'] or failed}); nothing was published, mend or remove the task."
            )


def _summary(release: "Release") -> str:
    named = release.suite
    return f"{len(release.tasks)} tasks of {release.size / 1e6:.1f} MB, the suite {named.name} version {named.version},"


def _listing(release: "Release") -> dict[str, object]:
    return {
        "suite": release.suite.name,
        "version": release.suite.version,
        "tasks": sorted(release.manifest.files),
        "bytes": release.size,
    }
