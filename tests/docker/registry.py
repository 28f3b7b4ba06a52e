"""A registry of the tests' own on a port of loopback, from which the engine pulls without TLS.

What it serves fits Docker's and Ollama's pulls alike: manifests by tag and by digest, and blobs, which lie
at another host, as a real registry's do: Ollama pulls none that do not. A test may hold a blob in the middle,
to look at a pull that is on its way, or have it broken off.
"""

import hashlib
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.docker.engine import Engine

_OCI = "application/vnd.oci.image."
_MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")
_BLOB = re.compile(r"(/v2/.+/blobs|/stored)/([^/]+)")
_HELD_S = 60.0


@dataclass
class Registry:
    """What is served. `asked` are all requests so far, as `GET /v2/NAME/blobs/DIGEST`.

    The blob `slow` is sent to its half; the rest comes when `go` is set. With `breaks` the connection is
    closed there instead, each time.
    """

    host: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    slow: str = ""
    breaks: bool = False
    go: threading.Event = field(default_factory=threading.Event)

    def add(self, content: bytes) -> str:
        """Have a blob. Its digest."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def tag(self, name: str, tag: str, manifest: bytes) -> str:
        """Have a manifest under a tag and its digest. The digest."""
        digest = self.add(manifest)
        self.manifests[name, tag] = self.manifests[name, digest] = digest
        return digest

    def add_image(self, engine: Engine, image: str, name: str, more: bytes, env: Mapping[str, str]) -> str:
        """Serve an image of the engine's as `name:latest`, with one more layer and more variables.

        A layer with what no other run has is pulled for sure, and it is the slow one. The image's digest.
        """
        saved = io.BytesIO(b"".join(engine.client.images.get(image).save()))
        with tarfile.open(fileobj=saved) as tar:

            def read(path: str) -> bytes:
                file = tar.extractfile(path)
                assert file is not None, path
                return file.read()

            (described,) = json.loads(read("manifest.json"))
            config = json.loads(read(described["Config"]))
            layers = [read(path) for path in described["Layers"]]
        layers.append(_tar("more", more))
        digests = [self.add(each) for each in layers]
        self.slow = digests[-1]
        config["rootfs"]["diff_ids"].append(self.slow)
        config["history"] = []  # one entry a layer, or none
        config["config"]["Env"] = [
            *(config["config"].get("Env") or []),
            *(f"{key}={value}" for key, value in env.items()),
        ]
        content = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _OCI + "manifest.v1+json",
            "config": _part("config.v1+json", self.add(content), content),
            "layers": [
                _part("layer.v1.tar", digest, layer) for digest, layer in zip(digests, layers, strict=True)
            ],
        }
        return self.tag(name, "latest", json.dumps(manifest).encode())


@contextmanager
def registry() -> Iterator[Registry]:
    """A registry for as long as the context lasts."""
    served = Registry()

    class Asked(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with suppress(ConnectionError):  # who pulls may go away in the middle
                _answer(self, served)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    served.host = f"127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield served
    finally:
        served.go.set()
        server.shutdown()
        server.server_close()
        serving.join()


def _answer(asked: BaseHTTPRequestHandler, served: Registry) -> None:
    served.asked.append(f"{asked.command} {asked.path}")
    if asked.path == "/v2/":
        _send(asked, 200, b"{}", {"Content-Type": "application/json"})
    elif (found := _MANIFEST.fullmatch(asked.path)) and (found[1], found[2]) in served.manifests:
        digest = served.manifests[found[1], found[2]]
        content = served.blobs[digest]
        kind = json.loads(content)["mediaType"]
        _send(asked, 200, content, {"Content-Type": kind, "Docker-Content-Digest": digest})
    elif (blob := _BLOB.fullmatch(asked.path)) and blob[2] in served.blobs:
        if asked.command == "GET" and blob[1] != "/stored":
            port = served.host.rpartition(":")[2]
            _send(asked, 307, b"", {"Location": f"http://localhost:{port}/stored/{blob[2]}"})
        else:
            _send_blob(asked, served, blob[2])
    else:
        _send(asked, 404, b'{"errors": [{"code": "NAME_UNKNOWN", "message": "there is no such thing here"}]}')


def _send_blob(asked: BaseHTTPRequestHandler, served: Registry, digest: str) -> None:
    content = served.blobs[digest]
    first, last = 0, len(content) - 1
    if part := re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range", "")):
        first, last = int(part[1]), min(int(part[2] or last), last)
    half = len(content) // 2
    held = asked.command == "GET" and digest == served.slow and last >= half
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(last + 1 - first)}
    if part:
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    _send(asked, 206 if part else 200, content[first:half] if held else content[first : last + 1], headers)
    if held and served.breaks:
        asked.close_connection = True
    elif held:
        assert served.go.wait(_HELD_S), "nobody let the rest of the blob go"
        asked.wfile.write(content[max(first, half) : last + 1])


def _send(
    asked: BaseHTTPRequestHandler, status: int, content: bytes, headers: Mapping[str, str] | None = None
) -> None:
    asked.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
        asked.send_header(name, value)
    asked.end_headers()
    if asked.command == "GET":
        asked.wfile.write(content)


def _part(kind: str, digest: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": _OCI + kind, "digest": digest, "size": len(content)}


def _tar(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
