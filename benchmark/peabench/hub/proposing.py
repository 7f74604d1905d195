"""Opening a pull request on a dataset repository of the Hub."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from peabench.errors import PeabenchError
from peabench.hub.connection import client, plainly, refused_as_moved

ATTEMPTS = 4


def propose(
    repo_id: str, files: Mapping[str, Path | bytes], title: str, description: str, token: str | None = None
) -> str:
    """Open a pull request that adds files to a dataset repository.

    It is made against the head that the repository has now. Where someone else's commit comes in between, it is made
    again from the new head.

    Args:
        repo_id: `owner/name` of the dataset repository.
        files: content by path in the repository: a file on this machine, or bytes.
        title: of the pull request, one line.
        description: its text, Markdown.
        token: by default `HF_TOKEN`, or that of `hf auth login`.

    Returns:
        The address of the pull request.

    Raises:
        PeabenchError: there is nothing to add, the head kept moving, or the Hub refused or could not be reached.
    """
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    _refuse_bad_paths(files)
    hub = client(token)
    for _ in range(ATTEMPTS):
        with plainly(repo_id):
            head = hub.repo_info(repo_id, repo_type="dataset").sha
            operations = [
                CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
                for path, content in files.items()
            ]
            try:
                commit = hub.create_commit(
                    repo_id,
                    operations,
                    commit_message=title,
                    commit_description=description,
                    repo_type="dataset",
                    create_pr=True,
                    parent_commit=head,
                )
            except HfHubHTTPError as error:
                if refused_as_moved(error):
                    continue
                raise
        if commit.pr_url is None:
            raise PeabenchError(f"{repo_id} holds these very files already; there is nothing to propose.")
        return commit.pr_url
    raise PeabenchError(
        f"{repo_id} was changed by others each of the {ATTEMPTS} times that a pull request was tried; nothing was "
        "opened, give the same command again in a minute."
    )


def _refuse_bad_paths(files: Mapping[str, Path | bytes]) -> None:
    if not files:
        raise PeabenchError("A pull request needs at least one file; none was given.")
    for path, content in files.items():
        parts = PurePosixPath(path)
        if not parts.parts or parts.is_absolute() or ".." in parts.parts or str(parts) != path:
            raise PeabenchError(f"A file in a repository is named by a plain relative path, not {path!r}.")
        if isinstance(content, Path) and not content.is_file():
            raise PeabenchError(f"{content} was to be uploaded, but is no file; check its path.")
