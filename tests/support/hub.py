"""A model hub of the tests' own on loopback, with the routes that huggingface-hub asks, and tiny models."""

import hashlib
import json
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/?]+)(/revision/(?P<revision>[^?]+))?(\?.*)?")
_FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_CDN = re.compile(r"/cdn/(?P<repo>[^/]+/[^/]+)/(?P<revision>[^/]+)/(?P<path>.+)")
_LFS = 1_000_000  # bytes from which on a file lies elsewhere, as on the real hub


def tiny_whisper(seed: bytes = b"one", size: int = 3_000_000) -> dict[str, bytes]:
    """The files of a repository with a Whisper for CTranslate2, which holds noise, and a file beside them."""
    weights = hashlib.shake_128(seed).digest(size)
    name = b"encoder/weight\0"
    head = struct.pack("<IH12sII", 6, 12, b"WhisperSpec\0", 3, 1)
    head += struct.pack("<H", len(name)) + name + struct.pack("<BIBI", 1, size, 1, size)
    return {
        "model.bin": head + weights + struct.pack("<I", 0),
        "config.json": b"{}",
        "preprocessor_config.json": b'{"feature_size": 128}',
        "tokenizer.json": b"{}",
        "vocabulary.json": b"[]",
        "README.md": b"not wanted",
    }


def tiny_gguf(seed: bytes = b"one", size: int = 1_500_000) -> bytes:
    """A GGUF file with a head of figures, which holds noise."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    pairs = text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    figures = {"context_length": 2048, "block_count": 2, "attention.head_count": 4, "embedding_length": 64}
    for key, value in figures.items():
        pairs += text(f"llama.{key}".encode()) + struct.pack("<II", 4, value)
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(figures) + 1)
    return head + pairs + hashlib.shake_128(seed).digest(size)


@dataclass
class ModelHub:
    """`commits` are the repositories' files by commit, the newest last. `requests` are what was asked for, as
    paths and ranges, and `tokens` what came along to the hub itself, by path.

    A file in `cuts` breaks off after so many bytes, once; one in `broken` is answered with an error.
    """

    url: str = ""
    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    cuts: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    altered: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def publish(self, repo: str, files: dict[str, bytes]) -> str:
        """Commit files to a repository. The commit."""
        content = b"".join(name.encode() + data for name, data in sorted(files.items()))
        commit = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.commits.setdefault(repo, {})[commit] = files
        return commit

    def asked(self, name: str) -> list[str]:
        """The ranges in which a file's bytes were asked for, without the redirects."""
        return [span for path, span in self.requests if path.endswith(f"/{name}") and "/resolve/" not in path]


@contextmanager
def serving(hub: ModelHub) -> Iterator[ModelHub]:
    """Serve on a free port of loopback."""

    class Answer(_Answer):
        served = hub

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()


class _Answer(BaseHTTPRequestHandler):
    served: ModelHub

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.served
        hub.requests.append((self.path, self.headers.get("Range", "")))
        if not self.path.startswith("/cdn/"):
            hub.tokens[self.path] = self.headers.get("Authorization", "")
        if found := _API.fullmatch(self.path):
            self._tell(found["repo"], found["revision"])
        elif found := _FILE.fullmatch(self.path):
            self._resolve(found["repo"], found["revision"], found["path"])
        elif found := _CDN.fullmatch(self.path):
            self._send_bytes(found["path"], self._files(found["repo"], found["revision"])[1][found["path"]])
        else:
            self._send(404)

    def _resolve(self, repo: str, revision: str, path: str) -> None:
        commit, files = self._files(repo, revision)
        content = files.get(path)
        if content is None:
            self._send(404, headers={"X-Error-Code": "EntryNotFound"})
            return
        told = {"X-Repo-Commit": commit, "ETag": f'"{_blob(content)}"'}
        if len(content) < _LFS:
            self._send(200, content, told)
            return
        told["X-Linked-Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        told["X-Linked-Size"] = str(len(content))
        # On another host, as the real one: the client must not show its token there.
        told["Location"] = f"{self.served.url}/cdn/{repo}/{commit}/{path}".replace("127.0.0.1", "localhost")
        self._send(302, headers=told)

    def _files(self, repo: str, revision: str | None) -> tuple[str, dict[str, bytes]]:
        """A commit and its files; none for an unknown one."""
        commits = self.served.commits.get(repo, {})
        newest = list(commits)[-1] if commits else ""
        commit = newest if revision in (None, "main") else str(revision)
        return commit, commits.get(commit, {})

    def _tell(self, repo: str, revision: str | None) -> None:
        commit, files = self._files(repo, revision)
        if not files:
            self._send(404, headers={"X-Error-Code": "RepoNotFound"})
            return
        siblings = []
        for path, content in files.items():
            each = {"rfilename": path, "size": len(content), "blobId": _blob(content)}
            if len(content) >= _LFS:
                sha256 = hashlib.sha256(content).hexdigest()
                each["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
            siblings.append(each)
        answer = {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings}
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _send_bytes(self, path: str, content: bytes) -> None:
        hub = self.served
        if path in hub.broken:
            self._send(500)
            return
        content = hub.altered.get(path, content)
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(span[1]) if span else 0
        part = content[begin:]
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(part)))
        if span:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        most = hub.cuts.pop(path, len(part)) if self.command == "GET" else 0
        if self.command == "GET":
            self.wfile.write(part[:most])

    def _send(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _blob(content: bytes) -> str:
    """The name that git gives to a file."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
