"""`peabench download`: have tasks of a suite on the Hub here, verified."""

from typing import TYPE_CHECKING, Annotated

import typer

from peabench.catalogue import bundled_tasks
from peabench.cli.output import JsonOption, note, print_json
from peabench.cli.progress import DownloadBar
from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from peabench.hub import Downloaded

RepoOption = Annotated[
    str | None,
    typer.Option(metavar="OWNER/NAME", help="Repository on the Hub; by default PEABENCH_HUB_REPO or the recorded one."),
]


def download(
    patterns: Annotated[list[str] | None, typer.Argument(metavar="[TASK]...", help="Ids or globs.")] = None,
    suite: Annotated[str | None, typer.Option(help="All tasks of the suite that the repository holds.")] = None,
    repo: RepoOption = None,
    revision: Annotated[
        str | None,
        typer.Option(help="Branch, tag or commit; by default PEABENCH_HUB_REVISION, the recorded one, or the newest."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Download tasks from the Hub, verify every file, and list them beside the installed ones.

    What is here already is not fetched again; the same command continues a download that broke off. The token is taken
    from HF_TOKEN or `hf auth login`. Tasks lie in PEABENCH_CACHE, by default ~/.cache/peabench.
    """
    if not patterns and suite is None:
        raise PeabenchError("Name the tasks to download, or give --suite.")
    if repo is None and revision is None and _needs_no_network(patterns or [], suite):
        if json:
            print_json({"fetched": []})
        else:
            note("All of them come with the installed packages; there is nothing to download.")
        return
    from peabench.hub import download as from_the_hub

    try:
        with DownloadBar() as bar:
            done = from_the_hub(patterns or (), suite, repo, revision, watcher=bar.tell)
    except KeyboardInterrupt:
        note("Stopped; the same command continues with the files that are missing.")
        raise typer.Exit(130) from None
    if json:
        print_json(_listing(done))
    else:
        note(
            f"{len(done.fetched)} tasks of the suite {done.suite} (version {done.version}) fetched and verified, "
            f"{len(done.folders) - len(done.fetched)} were here; commit {done.snapshot.commit} of {done.snapshot.repo}."
        )


def _needs_no_network(patterns: list[str], suite: str | None) -> bool:
    from peabench.suites import bundled_suites

    if suite is not None:
        return suite in bundled_suites()
    return set(patterns) <= {task.id for task in bundled_tasks()}


def _listing(done: "Downloaded") -> dict[str, object]:
    return {
        "repo": done.snapshot.repo,
        "revision": done.snapshot.revision,
        "commit": done.snapshot.commit,
        "suite": done.suite,
        "version": done.version,
        "fetched": list(done.fetched),
        "folders": {task: str(folder) for task, folder in done.folders.items()},
    }
