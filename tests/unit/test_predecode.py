"""The sound that is decoded ahead, on a disk that does not always do what it is asked."""

import asyncio
import errno
from pathlib import Path

import pytest

from daemon.contracts.values import Decoded
from daemon.core.errors import Blame, Fault
from daemon.supervisor.predecode import Predecoder
from tests.support.waiting import until
from tests.unit.scheduling import task

pytestmark = pytest.mark.anyio


class _FullOnce:
    """Has no room for the sound at the first try."""

    def __init__(self, blame: Blame) -> None:
        self._blame, self.tries = blame, 0

    async def decode(self, path: Path, pcm: Path, account: str | None) -> Decoded | Fault:
        self.tries += 1
        return Fault(self._blame, "no_room", "no room") if self.tries == 1 else Decoded(pcm, takes=())


class _Slow:
    async def decode(self, path: Path, pcm: Path, account: str | None) -> Decoded | Fault:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return Decoded(pcm, takes=())


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


@pytest.mark.parametrize(("blame", "tries"), [(Blame.ENGINE, 2), (Blame.PERMANENT, 1)])
async def test_what_failed_ahead_for_a_reason_that_passes_is_decoded_when_it_is_needed(
    tmp_path: Path, blame: Blame, tries: int
) -> None:
    media = _FullOnce(blame)
    predecoder = Predecoder(media, tmp_path)  # type: ignore[arg-type]
    failed: list[int] = []
    predecoder.unreadable.connect(lambda task_id, fault: failed.append(task_id))
    predecoder.want([task(1)])
    await until(lambda: failed)
    predecoder.want([task(1)])
    assert isinstance(await predecoder.get(task(1)), Decoded) == (tries == 2)
    assert media.tries == tries


async def test_a_decoding_that_is_cancelled_by_itself_is_told_to_who_waits(tmp_path: Path) -> None:
    class _Cancelled:
        async def decode(self, path: Path, pcm: Path, account: str | None) -> Decoded | Fault:
            raise asyncio.CancelledError

    predecoder = Predecoder(_Cancelled(), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await predecoder.get(task(1))


async def test_who_waits_for_sound_that_is_dropped_gets_it_all_the_same(tmp_path: Path) -> None:
    predecoder = Predecoder(_Slow(), tmp_path)  # type: ignore[arg-type]
    waiting = asyncio.create_task(predecoder.get(task(1)))
    await asyncio.sleep(0)
    predecoder.drop(1)
    assert isinstance(await waiting, Decoded)


async def test_sound_that_is_decoded_again_is_not_removed(predecoder: Predecoder, tmp_path: Path) -> None:
    await predecoder.get(task(1))
    predecoder.want([task(1), task(2)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.pcm", "2.pcm"]
