"""`introeval setup` pulls: the image through a real engine from a registry, the models by their servers."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pexpect
import pytest

from daemon.containers import setup as product
from daemon.containers.engine import DockerEngine
from daemon.containers.setup import pull_image
from daemon.core.errors import ModelError
from tests.docker.docker_image import ollama_image
from tests.docker.docker_setup import SetupLab
from tests.docker.engine import Containers
from tests.docker.registry import Registry, registry

NAME = "ollama/ollama"
EMPTY = {"OLLAMA_TEST_MODELS": "", "OLLAMA_TEST_REGISTRY": "mistral,llama3"}
EMPTY |= {"OLLAMA_TEST_STORE": "/root/.ollama/pulled"}
docker = pytest.mark.docker


@pytest.fixture
def served() -> Iterator[Registry]:
    with registry() as served:
        yield served


@pytest.fixture
def lab(containers: Containers, served: Registry, tmp_path: Path) -> Iterator[SetupLab]:
    """A lab without the image, the containers and the models."""
    lab = SetupLab(tmp_path, containers, f"{served.host}/{NAME}:latest")
    yield lab
    lab.remove()


def serve(served: Registry, lab: SetupLab, **env: str) -> str:
    engine = lab.containers.engine
    return served.add_image(engine, ollama_image(engine), NAME, os.urandom(4 << 20), {**EMPTY, **env})


@docker
def test_the_image_and_the_models_are_pulled_in_sight_and_a_second_run_pulls_nothing(
    lab: SetupLab, served: Registry
) -> None:
    serve(served, lab, OLLAMA_TEST_PULL_S="0.6")
    seen = lab.setup_in_terminal()
    seen.expect_exact(f"{lab.image}: pull the image")
    seen.expect(r"(0\.[1-9]|[1-9][\d.]*)/[\d.]+ MB")  # some of it is here
    served.go.set()
    for stem in ("mistral", "llama3"):
        seen.expect_exact(f"{lab.containers.name(stem)}: create it from {lab.image}")
        seen.expect(f"{stem}: pulling b179c9523d0e .*49.2/98.4 MB")
        seen.expect_exact(f"{lab.containers.name(stem)}: {stem} was pulled")
    seen.expect(pexpect.EOF)
    seen.close()
    assert seen.exitstatus == 0
    assert [lab.inspect(stem)["Config"]["Image"] for stem in ("mistral", "llama3")] == [lab.image] * 2
    asked, ids = len(served.asked), lab.ids()
    again = lab.setup()
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.count("it is as it should be") == 2
    assert [f"has {stem}\n" in again.stdout for stem in ("mistral", "llama3")] == [True, True]
    assert "pull" not in again.stdout
    assert (len(served.asked), lab.ids()) == (asked, ids)


@docker
def test_a_pull_that_breaks_off_is_one_line_and_the_next_run_succeeds(
    lab: SetupLab, served: Registry
) -> None:
    digest = serve(served, lab)
    lab.image = f"{served.host}/{NAME}@{digest}"
    lab.write()
    # Not a layer, for which the engine asks six times in 75 s, with the same line at the end.
    served.slow, served.breaks = json.loads(served.blobs[digest])["config"]["digest"], True
    broken = lab.setup()
    assert (broken.returncode, broken.stderr.count("\n")) == (8, 1)
    assert f"the image {lab.image} was not pulled: " in broken.stderr
    assert "check that the engine reaches the registry" in broken.stderr
    assert f"GET /stored/{served.slow}" in served.asked
    assert not lab.containers.engine.client.containers.list(all=True, filters={"name": lab.containers.mark})
    served.breaks = False
    served.go.set()
    whole = lab.setup()
    assert (whole.returncode, whole.stdout.count(" was pulled\n")) == (0, 2), whole.stderr


@docker
def test_ctrl_c_ends_a_pull_at_once_and_leaves_no_container_running(lab: SetupLab, served: Registry) -> None:
    serve(served, lab, OLLAMA_TEST_PULL_S="600")
    seen = lab.setup_in_terminal()
    seen.expect(": Downloading")
    seen.sendintr()
    seen.expect(pexpect.EOF, timeout=60)
    seen.close()
    assert seen.exitstatus == 130
    served.go.set()
    seen = lab.setup_in_terminal()
    seen.expect("mistral: pulling b179c9523d0e")
    seen.sendintr()
    seen.expect(pexpect.EOF, timeout=60)
    seen.close()
    assert seen.exitstatus == 130
    assert lab.inspect("mistral")["State"]["Status"] == "exited"


@dataclass
class FakeEngine:
    """As much of an engine as a pull needs: the events, and then its end, or nothing more."""

    events: list[dict[str, Any]]
    ends: str = "well"
    url: str = ""
    asked: dict[str, list[str]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Transfer-Encoding", "chunked")
        to.end_headers()
        path = urlsplit(to.path)
        if not path.path.endswith("/images/create"):
            _chunks(to, {"ApiVersion": "1.41"})
            to.wfile.write(b"0\r\n\r\n")
            return
        self.asked = parse_qs(path.query)
        _chunks(to, *self.events)
        if self.ends == "never":
            self.over.wait(60)
        to.close_connection = True
        if self.ends == "well":
            to.wfile.write(b"0\r\n\r\n")


@contextmanager
def fake_engine(*events: dict[str, Any], ends: str = "well") -> Iterator[FakeEngine]:
    engine = FakeEngine(list(events), ends)

    class Asked(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            engine.answer(self)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    engine.url = f"tcp://127.0.0.1:{server.server_address[1]}"
    try:
        yield engine
    finally:
        engine.over.set()
        server.shutdown()
        server.server_close()
        serving.join()


def _chunks(to: BaseHTTPRequestHandler, *contents: dict[str, Any]) -> None:
    for each in contents:
        data = json.dumps(each).encode() + b"\r\n"
        to.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def of_layer(layer: str, status: str, current: int = 0, total: int = 0) -> dict[str, Any]:
    progress = {"current": current, "total": total} if total else {}
    return {"id": layer, "status": status, "progressDetail": progress}


async def pulled(engine: FakeEngine, image: str = "ollama/ollama") -> list[tuple[str, int, int]]:
    """Pull as setup does. What it was told."""
    told: list[tuple[str, int, int]] = []
    client = DockerEngine(engine.url)
    try:
        await pull_image(client, image, lambda *step: told.append(step))
    finally:
        await client.aclose()
    return told


@pytest.mark.anyio
async def test_layers_that_come_at_once_are_shown_as_one_sum() -> None:
    events = [
        {"id": "latest", "status": "Pulling from ollama/ollama"},
        of_layer("a", "Downloading", 10, 100),
        of_layer("b", "Downloading", 5, 50),
        of_layer("a", "Downloading", 60, 100),
        of_layer("b", "Download complete"),
        of_layer("b", "Extracting", 1, 50),
        of_layer("a", "Download complete"),
        {"status": "Status: Downloaded newer image for ollama/ollama:latest"},
    ]
    with fake_engine(*events) as engine:
        figures = [(done, total) for _, done, total in await pulled(engine)]
    assert figures == [
        (0, 0),
        (10, 100),
        (15, 150),
        (65, 150),
        (110, 150),
        (110, 150),
        (150, 150),
        (150, 150),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("image", "name", "tag"),
    [
        ("ollama/ollama", "ollama/ollama", "latest"),
        ("ollama/ollama:0.32", "ollama/ollama", "0.32"),
        ("127.0.0.1:5000/ollama/ollama", "127.0.0.1:5000/ollama/ollama", "latest"),
        ("ollama/ollama@sha256:" + 64 * "a", "ollama/ollama", "sha256:" + 64 * "a"),
    ],
)
async def test_an_image_is_asked_for_by_its_name_and_its_tag_or_digest(
    image: str, name: str, tag: str
) -> None:
    with fake_engine() as engine:
        await pulled(engine, image)
    assert engine.asked == {"fromImage": [name], "tag": [tag]}


@pytest.mark.anyio
async def test_an_engine_that_goes_away_in_the_middle_is_one_line() -> None:
    with (
        fake_engine(of_layer("a", "Downloading", 10, 100), ends="in the middle") as engine,
        pytest.raises(ModelError, match="not pulled: the connection to the Docker engine was lost; "),
    ):
        await pulled(engine)


@pytest.mark.anyio
async def test_why_the_engine_could_not_be_asked_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "none-of-this-name"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with fake_engine() as engine, pytest.raises(ModelError, match=r"not pulled: .*none-of-this-name"):
        await pulled(engine)
    assert not recwarn.list


@pytest.mark.anyio
async def test_an_image_of_which_nothing_comes_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product, "_PULL_STALL_S", 0.2)
    with (
        fake_engine(of_layer("a", "Downloading", 10, 100), ends="never") as engine,
        pytest.raises(ModelError, match="not pulled: no progress for"),
    ):
        await pulled(engine)
