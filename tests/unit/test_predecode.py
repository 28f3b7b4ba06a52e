"""The sound that is decoded ahead, on a disk that does not always do what it is asked."""

import errno
from pathlib import Path

import pytest

from daemon.contracts.values import Decoded
from daemon.core.errors import Fault
from daemon.supervisor.predecode import Predecoder
from tests.unit.scheduling import task

pytestmark = pytest.mark.anyio


class _Media:
    async def decode(self, path: Path, pcm: Path, account: str | None) -> Decoded | Fault:
        pcm.write_bytes(b"sound")
        return Decoded(pcm, takes=())


def away(path: Path, missing_ok: bool = False) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
async def predecoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Predecoder:
    """Has the sound of tasks 1 and 2, and could not remove that of 1, which is dropped."""
    predecoder = Predecoder(_Media(), tmp_path)  # type: ignore[arg-type]
    for number in (1, 2):
        await predecoder.get(task(number))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", away)
        predecoder.drop(1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.pcm", "2.pcm"]
    return predecoder


async def test_sound_that_the_disk_does_not_let_go_is_removed_at_the_next_turn(
    predecoder: Predecoder, tmp_path: Path
) -> None:
    predecoder.want([task(2)])
    assert [path.name for path in tmp_path.iterdir()] == ["2.pcm"]


async def test_sound_that_is_decoded_again_is_not_removed(predecoder: Predecoder, tmp_path: Path) -> None:
    await predecoder.get(task(1))
    predecoder.want([task(1), task(2)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.pcm", "2.pcm"]
