"""A small Hub on loopback: what the real `huggingface_hub` client asks for to create, commit, propose and download."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

TOKEN = "hf_right"
"""The one token that this Hub knows."""

RESOLVE = re.compile(r"/(?:(?P<kind>datasets)/)?(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
READ = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<id>[^/]+/[^/]+)(?:/(?P<verb>revision|tree)/(?P<revision>[^/]+))?"
)
WRITE = re.compile(r"/api/(?P<kind>models|datasets)/(?P<id>[^/]+/[^/]+)/(?P<verb>preupload|commit)/(?P<revision>[^/]+)")
LARGE_BATCH = re.compile(r"/(?:datasets/)?[^/]+/[^/]+\.git/info/lfs/objects/batch")


@dataclass
class Repository:
    """Branches and pull requests by name, and the files of every commit."""

    references: dict[str, str]
    trees: dict[str, dict[str, bytes]]
    titles: list[str] = field(default_factory=list)
    """Of the commits, in order."""
    pull_requests: int = 0

    @property
    def files(self) -> dict[str, bytes]:
        """What `main` holds."""
        return self.trees[self.references["main"]]

    def commit(self, files: Mapping[str, bytes], reference: str = "main", title: str = "Someone's commit") -> str:
        """Make these the files of a reference; the commit's id."""
        self.titles.append(title)
        commit = hashlib.sha1(f"{len(self.trees)} {title} {sorted(files)}".encode()).hexdigest()
        self.trees[commit] = dict(files)
        self.references[reference] = commit
        return commit


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one reply."""

    status: int = 0
    """Reply with this status alone."""
    body: bytes | None = None
    """Serve these bytes in place of the file's."""
    cut_after: int | None = None
    """Announce the whole file, send so many bytes of it, and hang up."""
    wait_seconds: float = 0.0
    """Before the reply."""


@dataclass
class LoopbackHub:
    """The state of the server. A test may meddle with every request."""

    url: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    """By (`models` or `datasets`, `owner/name`)."""
    large: dict[str, bytes] = field(default_factory=dict)
    """Uploaded large files by SHA-256."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Methods and paths, in order."""
    meddle: Callable[[str, str], Fault | None] = lambda method, path: None
    """Called with the method and path of each request before it is served."""

    def create(self, name: str, kind: str = "models") -> Repository:
        """A new repository with one empty commit."""
        repository = Repository({}, {})
        repository.commit({}, title="Initial commit")
        self.repositories[kind, name] = repository
        return repository

    def asked(self, fragment: str) -> int:
        """How many requests had this in their path."""
        return sum(fragment in path for _, path in self.requests)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def __init__(self, hub: LoopbackHub, *connection: Any) -> None:
        self.hub = hub
        super().__init__(*connection)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is logged: the hub keeps the requests."""

    def do_HEAD(self) -> None:
        self._serve(self._read)

    def do_GET(self) -> None:
        self._serve(self._read)

    def do_POST(self) -> None:
        self._serve(self._write)

    def do_PUT(self) -> None:
        self._serve(self._store)

    def _serve(self, reply: Callable[[str, bytes, Fault], None]) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlparse(self.path).path
        self.hub.requests.append((self.command, path))
        fault = self.hub.meddle(self.command, path) or Fault()
        sleep(fault.wait_seconds)
        given = self.headers.get("Authorization")
        if fault.status:
            self._refuse(fault.status, "", f"Fault {fault.status}")
        elif given is not None and given != f"Bearer {TOKEN}":
            self._refuse(401, "", "Invalid credentials in Authorization header")
        elif self.command == "POST" and given is None:
            self._refuse(401, "", "Invalid username or password.")
        else:
            reply(path, body, fault)

    def _read(self, path: str, body: bytes, fault: Fault) -> None:
        if found := RESOLVE.fullmatch(path):
            self._resolve(found, fault)
        elif found := READ.fullmatch(path):
            commit, repository = self._found(found)
            if repository is None:
                return
            tree = repository.trees[commit]
            if found["verb"] == "tree":
                self._say(
                    [{"type": "file", "path": name, "size": len(tree[name]), **_oids(name, tree)} for name in tree]
                )
            else:
                siblings = [{"rfilename": name} for name in tree]
                self._say({"id": found["id"], "sha": commit, "private": False, "tags": [], "siblings": siblings})
        else:
            self._refuse(404, "", f"There is no {path} here")

    def _resolve(self, found: re.Match[str], fault: Fault) -> None:
        commit, repository = self._found(found)
        if repository is None:
            return
        name = unquote(found["path"])
        content = repository.trees[commit].get(name)
        if content is None:
            self._refuse(404, "EntryNotFound", f"There is no {name}", {"X-Repo-Commit": commit})
            return
        tag = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        content = content if fault.body is None else fault.body
        if self.command == "HEAD":
            self._send(200, content, tag)
            return
        start = int(range_from[1]) if (range_from := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        if start:
            tag["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, content[start:], tag, fault.cut_after)

    def _write(self, path: str, body: bytes, fault: Fault) -> None:
        if path == "/api/repos/create":
            wanted = json.loads(body)
            name, kind = f"{wanted['organization']}/{wanted['name']}", f"{wanted.get('type') or 'model'}s"
            there = (kind, name) in self.hub.repositories
            if not there:
                self.hub.create(name, kind)
            self._say({"url": f"{self.hub.url}/{name}", "name": name}, 409 if there else 200)
        elif path == "/api/validate-yaml":
            self._say({"errors": [], "warnings": []})
        elif LARGE_BATCH.fullmatch(path):
            objects = json.loads(body)["objects"]
            self._say({"transfer": "basic", "objects": [item | self._place(item["oid"]) for item in objects]})
        elif found := WRITE.fullmatch(path):
            commit, repository = self._found(found)
            if repository is None:
                return
            if found["verb"] == "preupload":
                tree = repository.trees[commit]
                names = [item["path"] for item in json.loads(body)["files"]]
                self._say({"files": [{"path": name, "shouldIgnore": False, **_mode(name, tree)} for name in names]})
            else:
                self._commit(repository, found, commit, [json.loads(line) for line in body.splitlines() if line])
        else:
            self._refuse(404, "", f"There is no {path} here")

    def _commit(self, repository: Repository, found: re.Match[str], head: str, lines: list[dict[str, Any]]) -> None:
        header, *operations = lines
        if header["value"].get("parentCommit") not in (None, head):
            self._refuse(412, "", "A commit has happened since. Please refresh and try again.")
            return
        files = dict(repository.trees[head])
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            else:
                files.pop(value["path"])
        prefix = "datasets/" if found["kind"] == "datasets" else ""
        place = f"{self.hub.url}/{prefix}{found['id']}"
        reference, answer = unquote(found["revision"]), {}
        if parse_qs(urlparse(self.path).query).get("create_pr"):
            repository.pull_requests += 1
            reference = f"refs/pr/{repository.pull_requests}"
            answer["pullRequestUrl"] = f"{place}/discussions/{repository.pull_requests}"
        commit = repository.commit(files, reference, header["value"]["summary"])
        self._say({"success": True, "commitOid": commit, "commitUrl": f"{place}/commit/{commit}", **answer})

    def _store(self, path: str, body: bytes, fault: Fault) -> None:
        oid = path.rpartition("/")[2]
        if hashlib.sha256(body).hexdigest() != oid:
            self._refuse(400, "", "The content is not what was announced")
            return
        self.hub.large[oid] = body
        self._send(200, b"", {"ETag": f'"{oid}"'})

    def _place(self, oid: str) -> dict[str, Any]:
        return {} if oid in self.hub.large else {"actions": {"upload": {"href": f"{self.hub.url}/large/{oid}"}}}

    def _found(self, found: re.Match[str]) -> tuple[str, Repository | None]:
        """The commit and repository that a path names; where there is none, the refusal has been sent."""
        repository = self.hub.repositories.get((found["kind"] or "models", found["id"]))
        if repository is None:
            # As the Hub does, whoever is not known is not told whether a repository is missing or private.
            self._refuse(404 if self.headers.get("Authorization") else 401, "RepoNotFound", "Repository not found")
            return "", None
        revision = unquote(found["revision"] or "main")
        commit = repository.references.get(revision, revision)
        if commit not in repository.trees:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return "", None
        return commit, repository

    def _say(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        told = {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})}
        self._send(
            status, json.dumps({"error": message}).encode(), {name: value for name, value in told.items() if value}
        )

    def _send(self, status: int, content: bytes, headers: Mapping[str, str], cut_after: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut_after is not None and cut_after < len(content):
            content, self.close_connection = content[:cut_after], True
        self.wfile.write(content)


def _is_large(name: str) -> bool:
    """Whether a new repository on the Hub stores a file outside git."""
    return name.endswith((".safetensors", ".zip"))


def _oids(name: str, tree: Mapping[str, bytes]) -> dict[str, Any]:
    content = tree[name]
    oid = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    if not _is_large(name):
        return {"oid": oid}
    return {"oid": oid, "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}}


def _mode(name: str, tree: Mapping[str, bytes]) -> dict[str, Any]:
    oids = _oids(name, tree) if name in tree else {}
    large = _is_large(name)
    return {
        "uploadMode": "lfs" if large else "regular",
        "oid": oids["lfs"]["oid"] if large and oids else oids.get("oid"),
    }


@contextmanager
def running() -> Iterator[LoopbackHub]:
    """A Hub without repositories, served as long as the context lasts."""
    hub = LoopbackHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
