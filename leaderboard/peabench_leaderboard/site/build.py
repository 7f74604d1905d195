"""The whole site: read what it is made from, render every page, and write the files."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from peabench import tracks
from peabench.catalogue import installed_tasks
from peabench.discovery import known_scorers
from peabench.errors import PeabenchError
from peabench.illusions import installed_illusions
from peabench.results import CellResult, read_all
from peabench.storage import write_whole
from peabench.tasks import load_task
from peabench_leaderboard.site.contents import AnswersReader, Contents, gather
from peabench_leaderboard.site.home_page import board_data, home_context
from peabench_leaderboard.site.method_page import method_context
from peabench_leaderboard.site.origin import commit_of
from peabench_leaderboard.site.pages import Pages
from peabench_leaderboard.site.plots_page import plots_context
from peabench_leaderboard.site.scorer_page import scorer_context
from peabench_leaderboard.site.script_data import script
from peabench_leaderboard.site.slugs import slug
from peabench_leaderboard.site.stored_answers import answers_in
from peabench_leaderboard.site.task_files import FOLDER, copies
from peabench_leaderboard.site.task_page import task_context

ASSETS = Path(__file__).parent / "assets"
DATA_NAME = "PEABENCH"
MARKER = "peabench-site.txt"
"""Says that a folder is a site that may be written over."""
PAGE_FOLDERS = ("scorer", "task")


def build_site(folder: Path, out: Path) -> tuple[int, list[str]]:
    """Build the site of a folder of results.

    Args:
        folder: of results.
        out: where to; a folder that is missing, empty, or an older site.

    Returns:
        How many files were written, and one sentence for each result that was left out.

    Raises:
        PeabenchError: the folder holds no results, or `out` holds something else.
    """
    results, problems = read_all(folder)
    if not results:
        raise PeabenchError(f"{folder} holds no results; make some with `peabench run --out DIR` and name DIR here.")
    contents = contents_of(results, commit_of(results, folder))
    return write_site(site_files(contents, answers_in(folder, problems)), out), problems


def contents_of(results: Sequence[CellResult], commit: str) -> Contents:
    """Results joined with the tasks, scorers and tracks that are installed."""
    scorers, _ = known_scorers()
    headlines = {name: tracks.get(name).headline for name in tracks.names()}
    return gather(results, installed_tasks(), scorers, headlines, commit, installed_illusions())


def site_files(contents: Contents, read_answers: AnswersReader) -> Iterator[tuple[str, str | bytes]]:
    """Every file of the site as its path and its content. Equal contents give equal bytes."""
    pages = Pages(contents.commit, version("peabench"))
    yield MARKER, "A site made by `peabench leaderboard build`, which may write over this folder.\n"
    for asset in sorted(ASSETS.iterdir()):
        yield f"assets/{asset.name}", asset.read_text(encoding="utf-8")
    yield "data.js", script(DATA_NAME, board_data(contents))
    yield "index.html", pages.render("home", "index.html", **home_context(contents))
    yield "plots.html", pages.render("plots", "plots.html", **plots_context(contents))
    certificates = []
    for place in contents.tasks:
        if place.summary is not None and place.page is not None:
            yield place.page, pages.render("task", place.page, **task_context(contents, place, read_answers))
            yield from copies(place.summary)
            certificates.append(load_task(place.summary.folder).certificate)
    yield "method.html", pages.render("method", "method.html", **method_context(contents, certificates))
    for scorer in contents.scorers:
        file = f"scorer/{slug(scorer)}.html"
        yield file, pages.render("scorer", file, **scorer_context(contents, scorer))


def write_site(files: Iterable[tuple[str, str | bytes]], out: Path) -> int:
    """Write a site's files, each in one step, and take away those of an older site that it no longer has.

    Nothing is written before all files are made.

    Returns:
        How many files were written.

    Raises:
        PeabenchError: `out` is no folder, holds something else, or cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise PeabenchError(f"Expected a folder for the site, got the file {out}; name another with --out.")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise PeabenchError(f"{out} holds something other than a site; empty it or name another folder with --out.")
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files}
    try:
        for name, content in contents.items():
            write_whole(out / name, content)
    except OSError as error:
        raise PeabenchError(f"{out} cannot hold a site ({error.strerror}); name another with --out.") from error
    for old in [
        *(file for folder in PAGE_FOLDERS for file in (out / folder).glob("*.html")),
        *(path for path in (out / FOLDER).rglob("*") if path.is_file()),
    ]:
        if old.relative_to(out).as_posix() not in contents:
            old.unlink()
    for folder in sorted((path for path in (out / FOLDER).rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):  # it is not empty
            folder.rmdir()
    return len(contents)
