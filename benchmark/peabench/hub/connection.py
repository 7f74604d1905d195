"""The Hub's client, loaded when it is first needed, and what its users are told when it fails."""

import errno
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from peabench.errors import PeabenchError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

ENDPOINT = "HF_ENDPOINT"
LIBRARY = "peabench"
AGAIN = "then give the same command again: it continues where it was"

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def endpoint() -> str | None:
    """Address of the Hub, if it is not the public one. The client reads it on import; here it may change later."""
    return os.environ.get(ENDPOINT) or None


def client(token: str | None = None) -> "HfApi":
    """A client of the Hub.

    Args:
        token: by default `HF_TOKEN`, or that of `hf auth login`.
    """
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint(), token=token, library_name=LIBRARY, library_version=version("peabench"))


@contextmanager
def plainly(repo: str, revision: str | None = None, place: str = "") -> Iterator[None]:
    """Turn what the client raises into one sentence; its own warnings on the way there are not shown.

    Args:
        repo: `owner/name` of what is asked for.
        revision: branch, tag or commit that is asked for.
        place: folder that is written to.

    Raises:
        PeabenchError: the client failed in any of the ways that it declares.
    """
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PeabenchError:
        raise
    except Exception as error:
        told = _sentence(error, repo, revision, place)
        if told is None:
            raise
        raise PeabenchError(told) from error
    finally:
        log.setLevel(level)


def refused_as_moved(error: "HfHubHTTPError") -> bool:
    """Whether the Hub refused a commit because its parent is no longer the head."""
    return error.response.status_code == 412


def _sentence(error: Exception, repo: str, revision: str | None, place: str) -> str | None:
    """What to tell of an error, from the first of its causes that says something."""
    for cause in _causes(error):
        told = _of_the_hub(cause, repo, revision) or _of_the_machine(cause, place)
        if told is not None:
            return told
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error's causes, the deepest first: the client wraps some in sentences about its own cache."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    # An HTTP error is known best by what the client made of it, which stands above the bare one.
    return iter([chain[0], *reversed(chain[1:])])


def _of_the_hub(error: BaseException, repo: str, revision: str | None) -> str | None:
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"{repo} was asked for, but HF_HUB_OFFLINE forbids to ask the Hub; unset it, {AGAIN}."
    if isinstance(error, errors.HFValidationError):
        return f"A repository on the Hub is named `owner/name`, not {repo!r}."
    if isinstance(error, errors.GatedRepoError):
        return f"{repo} is open only to those who accept its terms; do so on its page on the Hub, {AGAIN}."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo} has no revision {revision!r}; name one that its page on the Hub lists with --revision."
    if isinstance(error, errors.HfHubHTTPError):
        return _of_a_status(error, repo)
    if isinstance(error, errors.HTTPError):  # type: ignore[attr-defined]  # of the HTTP library that the client uses
        return f"The connection to the Hub failed ({_brief(error)}); check the network, {AGAIN}."
    if isinstance(error, errors.FileMetadataError):
        return f"What answers at {endpoint() or 'the Hub'} is no Hub ({_brief(error)}); check {ENDPOINT} and proxies."
    return None


def _of_a_status(error: "HfHubHTTPError", repo: str) -> str:
    from huggingface_hub import errors

    status = error.response.status_code
    told = error.server_message or error.response.headers.get("X-Error-Message") or ""
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"The Hub shows no {repo} to you: it does not exist, or is private and your token may not read it; "
            "check its name, and HF_TOKEN or `hf auth login`."
        )
    if status == 401:
        return f"The Hub does not accept your token ({told or status}); check HF_TOKEN, or log in with `hf auth login`."
    if status == 403:
        return f"Your token may not do this to {repo} ({told or status}); make one with the right to on the Hub."
    if isinstance(error, errors.EntryNotFoundError):
        return f"{repo} lacks a file that was asked for ({error.response.url.path}); name another revision."
    if status == 429 or status >= 500:
        return f"The Hub is busy or down (it answered with status {status}); wait a while, {AGAIN}."
    return f"The Hub refused what was asked of {repo} (status {status}: {told or 'no reason given'})."


def _of_the_machine(error: BaseException, place: str) -> str | None:
    if not isinstance(error, OSError):
        return None
    if error.errno in FULL_DISK:
        return f"There is no room left in {place or error.filename}; free some or set PEABENCH_CACHE, {AGAIN}."
    if str(error).startswith("Consistency check failed"):
        return f"A file came shorter or longer than the Hub announced it; check the network, {AGAIN}."
    if error.errno is not None and error.filename is not None:
        return f"{error.filename} cannot be written or read ({error.strerror}); see to its folder, {AGAIN}."
    return None


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200].rstrip(": ")
