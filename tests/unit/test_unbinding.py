"""The end of the control socket."""

import errno
import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.app import run


def test_a_stop_on_a_disk_that_is_away_ends_without_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(Path, "unlink", away)
    with capture_logs() as logged:
        run._unbind(socket.socket(), tmp_path / "introeval.sock")
    assert [line["event"] for line in logged] == ["the control socket could not be removed"]
