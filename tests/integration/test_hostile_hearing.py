"""A transcription server that is broken or hostile: what it says is no transcript, and fails no recording."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.values import Failed, StageOutcome, Transcribed
from daemon.core.errors import Blame, EngineError
from daemon.stt.remote import RemoteTranscriber
from daemon.system.http_client import key_in
from tests.integration.test_remote_hearing import WORDS, heard, server, told, work
from tests.support.raw_http import Raw, endless, raw_server

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

SENT_S = 8.0
HEARD = {"language": "english", "duration": SENT_S}


def segment(start: Any, end: Any, text: Any = WORDS[0], **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "text": text, **more}


def answered(*segments: Any, **more: Any) -> bytes:
    return json.dumps({**HEARD, **more, "segments": segments}).encode()


async def outcome_of(body: bytes, folder: Path) -> StageOutcome:
    with server((200, body)) as served:
        return await heard(RemoteTranscriber(served.url, "base"), work(folder, SENT_S))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b'{"segments": 1e999}',
        answered(segment("x", 2)),
        answered(segment(0, 2, ["Hello"])),
        answered(segment(float("nan"), 2)),
        answered(segment(0, float("inf"))),
        answered().replace(b"[]", b'[{"start": 0, "end": 1%s, "text": "Hello"}]' % (b"0" * 400)),
        answered(segment(0, 2e9)),  # nanoseconds
        answered(segment(100, 102)),
        answered(segment(0, 2), duration=31.5),  # for the upload of another
        answered(segment(0, 2, "Hello " * 100_000)),
        b"\xff\xfe" * 1000,
    ],
)
async def test_what_cannot_be_of_the_sound_is_the_servers_fault(tmp_path: Path, body: bytes) -> None:
    outcome = await outcome_of(body, tmp_path)
    assert isinstance(outcome, Failed)
    assert (outcome.fault.blame, outcome.fault.code) == (Blame.ENGINE, "bad_answer")
    assert not outcome.fault.died


async def test_segments_are_put_in_order_and_end_with_the_sound(tmp_path: Path) -> None:
    later, first = segment(5, 30, WORDS[1]), segment(-0.5, 2)
    outcome = await outcome_of(answered(later, first, segment(9, 12, "Thank you.")), tmp_path)
    assert isinstance(outcome, Transcribed)
    assert [(each.start_s, each.end_s) for each in outcome.transcript.segments] == [(0, 2), (5, 8)]
    assert outcome.transcript.text == " ".join(WORDS)
    assert [flag.code for flag in outcome.flags] == ["dropped_segments"]


async def test_a_figure_that_is_no_number_counts_as_not_told(tmp_path: Path) -> None:
    nan = float("nan")
    body = answered(segment(0, 5, avg_logprob=nan, no_speech_prob=nan, compression_ratio=None))
    outcome = await outcome_of(body, tmp_path)
    assert isinstance(outcome, Transcribed)
    assert outcome.transcript.segments[0].avg_logprob == 0.0


async def test_control_characters_are_no_words(tmp_path: Path) -> None:
    outcome = await outcome_of(answered(segment(0, 5, f"\x1b]0;x\x07\n{WORDS[0]}\x9b2J\0")), tmp_path)
    assert isinstance(outcome, Transcribed)
    assert outcome.transcript.text == f"]0;x {WORDS[0]}2J"


async def test_the_key_and_control_characters_of_a_refusal_are_shown_nowhere(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret-k3y")
    key.chmod(0o600)
    said = "\x1b[2JAuthorization: Bearer s3cret-k3y \x9bis refused"
    with server((500, said.encode())) as served:
        engine = RemoteTranscriber(served.url, "base", key_file=key)
        outcome = await heard(engine, work(tmp_path, SENT_S))
    assert isinstance(outcome, Failed)
    assert "Authorization: Bearer *** is refused" in outcome.fault.message
    assert outcome.fault.message.isprintable()


@pytest.mark.parametrize(
    "raw",
    [
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
        endless(b"HTTP/1.1 500 Oops\r\n\r\n", b"x" * 65536),
        endless(b"HTTP/1.1 200 OK\r\nX-Y: ", b"x" * 65536),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        Raw(b"HTTP/1.1 500 Oops\r\nContent-Type: a/b; charset=hex\r\nContent-Length: 2\r\n\r\nzz"),
        Raw(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"),
        Raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    ],
    ids=["body", "refusal", "header", "continue", "half", "gzip", "charset", "location", "ssh"],
)
async def test_no_answer_of_a_server_ends_more_than_its_start(raw: Raw) -> None:
    async with raw_server(raw) as url:
        engine = RemoteTranscriber(url, "base", limit_s=5.0, limit_factor=0.0)
        with pytest.raises(EngineError):
            await engine.start()
        assert not engine.alive
        assert raw.sent < 64_000_000


@pytest.mark.parametrize("url", ["https://{}", "http://does-not-exist.invalid", "http://127.0.0.1:1"])
async def test_a_server_that_cannot_be_reached_is_told_by_its_address(url: str) -> None:
    async with raw_server(Raw(b"plain text\r\n")) as served:
        engine = RemoteTranscriber(url.format(served.removeprefix("http://")), "base", limit_s=10.0)
        with pytest.raises(EngineError, match="was lost"):
            await engine.start()


async def test_a_key_goes_to_no_other_server(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret-k3y")
    key.chmod(0o600)
    other = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with raw_server(other) as there:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: {there}/\r\nContent-Length: 0\r\n\r\n"
        async with raw_server(Raw(moved.encode())) as url:
            with pytest.raises(EngineError, match=r"check stt\.url"):
                await RemoteTranscriber(url, "base", key_file=key).start()
    assert not other.asked


async def test_another_key_counts_from_the_next_start(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("old")
    key.chmod(0o600)
    with server((401, b"expired"), (200, told("It works."))) as served:
        engine = RemoteTranscriber(served.url, "base", key_file=key)
        refused = await heard(engine, work(tmp_path, SENT_S))
        key.write_text("new")
        await engine.start()
        await engine.stop()
    assert isinstance(refused, Failed)
    assert (refused.fault.blame, refused.fault.died) == (Blame.ENGINE, False)
    assert [asked.key for asked in served.asked] == ["Bearer old", "Bearer old", "Bearer new"]


async def test_a_folder_and_a_pipe_are_no_key(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe", 0o600)
    for file in (tmp_path, pipe):
        with pytest.raises(EngineError, match="no plain file"):
            key_in(file)
