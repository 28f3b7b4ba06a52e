"""What `introeval doctor` says of a cluster."""

from pathlib import Path

import pytest

from daemon.cluster import start
from daemon.doctor.cluster import cluster
from daemon.doctor.finding import Level
from tests.integration.test_doctor import facts

HEAD = '[cluster]\naddress = "{}"\n'


def found(folder: Path, text: str) -> list[tuple[Level, str]]:
    return [(each.level, f"{each.text}; {each.fix}") for each in cluster(facts(folder, text))]


@pytest.fixture(autouse=True)
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "installed", lambda: True)


def test_of_one_box_nothing_is_said(tmp_path: Path) -> None:
    assert found(tmp_path, "") == []


def test_a_cluster_fails_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "installed", lambda: False)
    ((level, told),) = found(tmp_path, HEAD.format("10.0.0.1"))
    assert (level, told) == (Level.FAIL, start.INSTALL)


def test_a_cluster_fails_without_a_token_and_at_no_address(tmp_path: Path) -> None:
    ((level, told),) = found(tmp_path, HEAD.format("10.0.0.1"))
    assert level is Level.FAIL
    assert "make one with: introeval node token" in told
    token = tmp_path / "cluster-token"
    token.touch(0o600)
    token.write_text("x" * 64)
    ((level, told),) = found(tmp_path, HEAD.format("0.0.0.0"))
    assert level is Level.FAIL
    assert "is no address of one machine" in told


def test_what_is_open_is_said(tmp_path: Path) -> None:
    token = tmp_path / "cluster-token"
    token.touch(0o600)
    token.write_text("x" * 64)
    well, opened = found(tmp_path, HEAD.format("10.0.0.1"))
    assert well == (Level.OK, "the head; token found; ")
    assert opened[0] is Level.WARN
    assert "ports 7300 to 7399" in opened[1]
