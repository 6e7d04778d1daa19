"""A hub on loopback with what a download needs: model info, file addresses, ranges, and mishaps.

Like the real one it answers for a large file (`*.safetensors`) with a redirect to another server,
the CDN, under the file's SHA-256, and serves all other files itself under their git SHA-1.
"""

import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_INFO = re.compile(r"/api/models/([^/]+/[^/]+?)(?:/revision/([^/]+))?")
_CDN = re.compile(r"/blob/([0-9a-f]{64})")


@dataclass(frozen=True)
class Request:
    """One request that a server got; `server` is "hub" or "cdn"."""

    server: str
    method: str
    path: str
    range: str | None
    authorization: str | None
    accept_encoding: str | None


@dataclass
class FakeHub:
    """The hub's content and its mishaps; all fields may be changed while it serves."""

    repos: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)  # id, commit, name
    branches: dict[tuple[str, str], str] = field(default_factory=dict)
    token_for: dict[str, str] = field(default_factory=dict)  # gated repositories
    hidden_listing: bool = False  # a gated repository hides its listing too (403)
    breaks: dict[str, list[int]] = field(default_factory=dict)  # digest: bytes sent before a break
    damaged: set[str] = field(default_factory=set)  # digests served with one bit turned
    failing: dict[str, list[int]] = field(default_factory=dict)  # digest: statuses answered first
    breaks_are_resets: bool = False  # an abrupt end (RST), as from a dying router
    ignores_ranges: bool = False
    hides_hashes: bool = False
    is_login_page: bool = False
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    cdn_url: str = ""

    def push(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Add a commit with exactly these files and move the branch to it; returns its hash."""
        commits = self.repos.setdefault(repo, {})
        commit = hashlib.sha1(f"{repo} {len(commits)}".encode()).hexdigest()
        commits[commit] = dict(files)
        self.branches[repo, branch] = commit
        return commit

    def content(self, digest: str) -> bytes | None:
        for commits in self.repos.values():
            for files in commits.values():
                for name, data in files.items():
                    if digest_of(name, data) == digest:
                        return data
        return None

    def served(self, repo: str | None = None) -> list[str]:
        """The names of the files asked for with GET, in order."""
        found = [_RESOLVE.fullmatch(r.path) for r in self.requests if r.method == "GET"]
        return [match[3] for match in found if match and repo in (None, match[1])]

    def ranges(self, digest: str) -> list[str | None]:
        """The Range headers of the downloads of a large file, in order."""
        return [r.range for r in self.requests if r.server == "cdn" and digest in r.path]


def digest_of(name: str, data: bytes) -> str:
    if name.endswith(".safetensors"):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def serve_fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    with ExitStack() as stack:
        hub.url = stack.enter_context(_serve(hub, "hub"))
        hub.cdn_url = stack.enter_context(_serve(hub, "cdn"))
        yield hub


@contextmanager
def _serve(hub: FakeHub, role: str) -> Iterator[str]:
    class Handler(_Handler):
        content = hub
        server_role = role

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False  # closing the server waits for every answer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    content: FakeHub
    server_role: str

    def do_HEAD(self) -> None:
        self._respond()

    def do_GET(self) -> None:
        self._respond()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _respond(self) -> None:
        url = urlsplit(self.path)
        path = url.path
        self.content.requests.append(
            Request(
                self.server_role,
                self.command,
                unquote(path),
                self.headers.get("Range"),
                self.headers.get("Authorization"),
                self.headers.get("Accept-Encoding"),
            )
        )
        if self.server_role == "cdn" and (match := _CDN.fullmatch(path)):
            self._send_file(match[1], {})
        elif match := _INFO.fullmatch(path):
            self._send_info(match[1], unquote(match[2] or "main"), "blobs" in parse_qs(url.query))
        elif match := _RESOLVE.fullmatch(path):
            self._send_resolved(match[1], unquote(match[2]), unquote(match[3]))
        else:
            self._refuse(404, "EntryNotFound")

    def _commit(self, repo: str, revision: str) -> str | None:
        """The commit of a revision, or None after an answer that refuses it."""
        if repo not in self.content.repos:
            self._refuse(401, "RepoNotFound")
            return None
        commit = self.content.branches.get((repo, revision), revision)
        if commit not in self.content.repos[repo]:
            self._refuse(404, "RevisionNotFound")
            return None
        return commit

    def _may_read(self, repo: str) -> bool:
        token = self.content.token_for.get(repo)
        if token is None or self.headers.get("Authorization") == f"Bearer {token}":
            return True
        self._refuse(403 if self.headers.get("Authorization") else 401, "GatedRepo")
        return False

    def _send_info(self, repo: str, revision: str, blobs: bool) -> None:
        if self.content.is_login_page:
            self._send(200, b"<html>Welcome to our network</html>", {"Content-Type": "text/html"})
            return
        if self.content.hidden_listing and not self._may_read(repo):
            return
        if (commit := self._commit(repo, revision)) is None:
            return
        siblings = []
        for name, data in self.content.repos[repo][commit].items():
            entry: dict[str, object] = {"rfilename": name}
            if blobs and not self.content.hides_hashes:
                sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                entry |= {"size": len(data), "blobId": sha1}
                if name.endswith(".safetensors"):
                    sha256 = digest_of(name, data)
                    entry["lfs"] = {"size": len(data), "sha256": sha256, "pointerSize": 134}
            siblings.append(entry)
        body = {"id": repo, "_id": "0", "sha": commit, "siblings": siblings, "tags": []}
        body |= {"downloads": 0, "likes": 0, "private": False}
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send_resolved(self, repo: str, revision: str, name: str) -> None:
        if not self._may_read(repo) or (commit := self._commit(repo, revision)) is None:
            return
        data = self.content.repos[repo][commit].get(name)
        if data is None:
            self._refuse(404, "EntryNotFound")
            return
        digest = digest_of(name, data)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest}"'}
        if name.endswith(".safetensors"):
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
            headers["Location"] = f"{self.content.cdn_url}/blob/{digest}"
            self._send(302, b"", headers)
        else:
            self._send_file(digest, headers)

    def _send_file(self, digest: str, headers: dict[str, str]) -> None:
        if statuses := self.content.failing.get(digest):
            self._send(statuses.pop(0), b"", {})
            return
        data = self.content.content(digest)
        if data is None:
            self._refuse(404, "EntryNotFound")
            return
        if digest in self.content.damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        first, status = 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if asked and not self.content.ignores_ranges:
            first, status = int(asked[1]), 206
            headers = headers | {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}
        breaks = self.content.breaks.get(digest)
        limit = breaks.pop(0) if breaks and self.command == "GET" else None
        self._send(status, data[first:], headers, limit)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], limit: int | None = None
    ) -> None:
        """Answer; with a limit, announce the whole body and close after that many bytes."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:limit])
        if limit is not None and self.content.breaks_are_resets:
            abrupt = struct.pack("ii", 1, 0)  # linger for no time: closing sends a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abrupt)
            self.connection.close()
