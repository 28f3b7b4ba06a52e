"""What `introeval node` refuses, the token that it makes, and how nodes are told. No Ray is started."""

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from daemon.api import client
from daemon.cli import node, nodes, plain, show
from daemon.cli.common import Chosen
from daemon.cluster import start
from daemon.config.cluster import ClusterSettings
from daemon.contracts.wire.status import NodeLine
from daemon.core.errors import ConfigError, NodeGone, UsageError
from tests.tui.fake_daemon import a_status, some_nodes


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "introeval.toml").write_text("")
    monkeypatch.setattr(Chosen, "file", tmp_path / "introeval.toml")
    monkeypatch.setattr(start, "installed", lambda: True)
    return tmp_path


def test_a_token_is_made_once_and_is_private(here: Path) -> None:
    node.token(given=False)
    file = here / "cluster-token"
    assert len(file.read_text().strip()) == 64
    assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0
    with pytest.raises(ConfigError, match="there is a token"):
        node.token(given=False)
    assert start.checked_token(ClusterSettings(token_file=file)) == file


@pytest.mark.parametrize("given", ["", "\n", "x" * 31, "ssh: connect to host lab1: Connection refused"])
def test_a_pipe_that_brings_no_token_leaves_none(
    here: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    with pytest.raises(UsageError, match="no token came"):
        node.token(given=True)
    assert not (here / "cluster-token").exists()


def test_the_service_can_read_the_token_whatever_the_umask(here: Path) -> None:
    before = os.umask(0o077)
    try:
        node.token(given=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((here / "cluster-token").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("token", "mode", "why"),
    [
        (None, 0, "there is no token"),
        ("x" * 64, 0o644, "can be read by everybody"),
        ("x" * 31, 0o600, "is none of 32"),
        ("", 0o600, "is none of 32"),
        ("x" * 32 + "\n" + "x" * 32, 0o600, "is none of 32"),
        ("ä" * 64, 0o600, "is none of 32"),
    ],
)
def test_nothing_starts_without_a_good_token(here: Path, token: str | None, mode: int, why: str) -> None:
    if token is not None:
        (here / "cluster-token").write_text(token)
        (here / "cluster-token").chmod(mode)
    for command in (node.head, lambda: node.join("127.0.0.1")):
        with pytest.raises(ConfigError, match=why):
            command()


def test_without_the_extra_a_machine_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "installed", lambda: False)
    for command in (node.head, lambda: node.join("127.0.0.1")):
        with pytest.raises(
            ConfigError, match=r"^Ray is not installed; run: pip install 'introeval\[cluster\]'$"
        ):
            command()


def test_a_head_needs_an_address_and_a_node_a_head_that_answers() -> None:
    node.token(given=False)
    with pytest.raises(ConfigError, match=r"cluster\.address is empty"):
        node.head()
    with pytest.raises(UsageError, match="no head is named"):
        node.join(None)
    with pytest.raises(ConfigError, match="is no address"):
        node.join("lab1; reboot")
    with pytest.raises(NodeGone, match=r"no head answers at 127\.0\.0\.1:1 "):
        node.join("127.0.0.1:1")


def test_ray_is_started_with_the_token_no_usage_reports_and_no_disk(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.token(given=False)
    (here / "introeval.toml").write_text('[cluster]\naddress = "127.0.0.2"\nport = 31000\n')
    ran: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda path, command, environ: ran.append((command, environ)))
    try:
        node.head()
    finally:
        start.remove_folder(ClusterSettings(port=31000))
    ((command, environ),) = ran
    assert environ["RAY_AUTH_MODE"] == "token"
    assert Path(environ["RAY_AUTH_TOKEN_PATH"]) == here / "cluster-token"
    options = dict(part.removeprefix("--").split("=") for part in command if "=" in part)
    assert options["node-ip-address"] == "127.0.0.2"
    assert Path(options["temp-dir"]).is_relative_to("/dev/shm")
    ports = [int(value) for name, value in options.items() if name.endswith("port")]
    assert len(set(ports)) == len(ports)
    assert all(31000 <= port < 31100 for port in ports)
    assert environ["RAY_automatic_object_spilling_enabled"] == "0"


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([], ["no cluster is configured"]),
        (some_nodes()[:1], ["local", "works", "no other machine has joined"]),
        (some_nodes(), ["loads extract rate", "6.9/8.0 GB", "draining", "away", "it said nothing for 6 s"]),
    ],
    ids=["none", "alone", "several"],
)
def test_each_node_is_listed_with_what_it_does(
    lines: list[NodeLine],
    shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = [line.model_dump(mode="json") for line in lines]
    monkeypatch.setattr(client, "get", lambda socket, path: answer)
    monkeypatch.setenv("COLUMNS", "120")
    nodes.nodes()
    told = capsys.readouterr().out
    assert [each for each in shown if each not in told] == []


def test_the_status_tells_of_several_nodes_and_not_of_one_alone() -> None:
    several = a_status(nodes=some_nodes())
    lines = [line.text for line in show.status(several)]
    assert "node lab3 draining (an operator asked for it), loaded: rate; 2 in hand, 9 done" in lines
    assert "node lab2 works, loads extract + rate; 0 in hand, 8 done" in lines
    assert "Node lab2: works. It is loading extract and rate." in list(plain.plain(several))
    assert "Node lab4: away, it said nothing for 6 s. It has loaded nothing." in list(plain.plain(several))
    alone = [line.text for line in show.status(a_status(nodes=some_nodes()[:1]))]
    assert alone == [line.text for line in show.status(a_status())]
    assert "nodes" not in a_status().model_dump()
