"""Hearing by a server elsewhere: what is sent, what becomes of its answers and of its refusals."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.app.configured import needed_models
from daemon.app.engines import remote_transcriber
from daemon.app.lent import _models
from daemon.config.load import load
from daemon.contracts.values import Failed, StageOutcome, SttWork, Take, Ticket, Transcribed, Unscorable
from daemon.contracts.wire.status import DaemonStatus, GpuState
from daemon.core.errors import Blame, EngineError
from daemon.core.tasks.task import Stage
from daemon.doctor.facts import Facts
from daemon.doctor.whisper import whisper
from daemon.placement.placement import Placement
from daemon.placement.policy import streams
from daemon.stt.decoder import MediaReader
from daemon.stt.remote import RemoteTranscriber
from daemon.stt.windows import RATE
from tests.support.checkout import SAMPLES, model_folder
from tests.support.transcription_server import Asked, Reply, Transcriptions, transcriptions

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

WORDS = ("Hello, I am Mira Pillai and I build bridges.", "I like chess very much.")
PROBED = 1  # request that a start makes


def told(*texts: str, language: str = "english", **more: Any) -> bytes:
    """An answer in `verbose_json`, with a segment of two seconds for each text and a second between."""
    segments = [
        {"id": at, "start": 3.0 * at, "end": 3.0 * at + 2, "text": f" {text}", "avg_logprob": -0.2, **more}
        for at, text in enumerate(texts)
    ]
    answer = {"task": "transcribe", "language": language, "text": " ".join(texts), "segments": segments}
    return json.dumps(answer).encode()


@contextmanager
def server(*later: Reply) -> Iterator[Transcriptions]:
    """A server that hears the probe clip, and then gives the n-th of `later`, and the last one again."""

    def reply(asked: Asked) -> Reply:
        at = len(served.asked) - PROBED - 1
        return (200, told("It works.")) if at < 0 else later[min(at, len(later) - 1)]

    with transcriptions(reply) as served:
        yield served


def work(folder: Path, *takes_s: float) -> SttWork:
    pcm = folder / "1.pcm"
    np.concatenate([np.full(round(s * RATE), 1000 * n, "<i2") for n, s in enumerate(takes_s, 1)]).tofile(pcm)
    return SttWork(Ticket(1, 1, 1), pcm, tuple(Take(seconds) for seconds in takes_s))


async def heard(engine: RemoteTranscriber, asked: SttWork) -> StageOutcome:
    await engine.start()
    try:
        return await engine.transcribe(asked, lambda ticket, share: None)
    finally:
        await engine.stop()


async def test_a_recording_is_sent_whole_and_its_segments_become_the_transcript(tmp_path: Path) -> None:
    with server((200, told(*WORDS))) as served:
        engine = RemoteTranscriber(served.url, "large-v3", hotwords="Pillai")
        outcome = await heard(engine, work(tmp_path, 8.0))
    assert isinstance(outcome, Transcribed)
    assert outcome.transcript.text == " ".join(WORDS)
    assert [(each.start_s, each.end_s) for each in outcome.transcript.segments] == [(0, 2), (3, 5)]
    assert (outcome.speaking.speech_s, outcome.speaking.longest_pause_s) == (4.0, 1.0)
    asked = served.asked[PROBED]
    assert asked.sound == (tmp_path / "1.pcm").read_bytes()
    assert asked.fields["model"] == "large-v3"
    assert asked.fields["response_format"] == "verbose_json"
    assert asked.fields["prompt"] == "Pillai"
    assert asked.key is None
    assert outcome.provenance["server"] == served.url
    assert (outcome.provenance["model"], outcome.provenance["runtime"]) == ("large-v3", "remote")


async def test_of_several_takes_the_clearest_is_the_transcript(tmp_path: Path) -> None:
    with server((200, told("mumble")), (200, told(*WORDS))) as served:
        outcome = await heard(RemoteTranscriber(served.url, "base"), work(tmp_path, 2.0, 8.0))
    assert [asked.seconds for asked in served.asked[PROBED:]] == [2.0, 8.0]
    assert isinstance(outcome, Transcribed)
    assert outcome.transcript.text == " ".join(WORDS)


@pytest.mark.parametrize("language", ["german", "de"])
async def test_another_language_is_told_by_its_name_or_code(tmp_path: Path, language: str) -> None:
    with server((200, told("Guten Tag, ich heisse Mira und baue Brücken.", language=language))) as served:
        outcome = await heard(RemoteTranscriber(served.url, "base"), work(tmp_path, 8.0))
    assert isinstance(outcome, Unscorable)
    assert outcome.code == "wrong_language"
    assert "'de'" in outcome.message


async def test_what_has_no_words_has_no_speech(tmp_path: Path) -> None:
    with server((200, told())) as served:
        outcome = await heard(RemoteTranscriber(served.url, "base"), work(tmp_path, 8.0))
    assert isinstance(outcome, Unscorable)
    assert outcome.code == "no_speech"


async def test_words_that_the_server_doubts_are_flagged(tmp_path: Path) -> None:
    with server((200, told(*WORDS, avg_logprob=-0.7))) as served:
        outcome = await heard(RemoteTranscriber(served.url, "base"), work(tmp_path, 8.0))
    assert isinstance(outcome, Transcribed)
    assert [flag.code for flag in outcome.flags] == ["low_confidence"]


@pytest.mark.parametrize(
    ("reply", "blame", "code", "says"),
    [
        ((413, b"too large"), Blame.ENGINE, "refused", "a higher limit there"),
        ((400, b"no such model"), Blame.ENGINE, "refused", "no such model"),
        ((302, b""), Blame.ENGINE, "refused", "check stt.url"),
        ((429, b"slow down"), Blame.ENGINE, "refused", "set a smaller stt.parallel"),
        ((500, b"out of memory"), Blame.ENGINE, "refused", "see its log"),
        ((200, b'{"text": "no segments"}'), Blame.ENGINE, "bad_answer", "check that it knows verbose_json"),
        (None, Blame.ENGINE, "connection_lost", "was lost"),
    ],
)
async def test_each_refusal_has_who_is_to_blame_and_what_to_do(
    tmp_path: Path, reply: Reply, blame: Blame, code: str, says: str
) -> None:
    with server(reply) as served:
        engine = RemoteTranscriber(served.url, "base")
        await engine.start()
        outcome = await engine.transcribe(work(tmp_path, 8.0), lambda ticket, share: None)
        alive = engine.alive
        await engine.stop()
    assert isinstance(outcome, Failed)
    assert (outcome.fault.blame, outcome.fault.code) == (blame, code)
    assert says in outcome.fault.message
    assert not outcome.fault.died  # a clip of the same length is refused as well
    assert alive == (reply is not None)


@pytest.mark.parametrize("reply", [(400, b"cannot be decoded"), (500, b"out of range"), (200, b"{}")])
async def test_what_is_refused_alone_is_the_recordings(tmp_path: Path, reply: Reply) -> None:
    known = (200, told("It works."))
    with server(reply, known, reply) as served:
        outcome = await heard(RemoteTranscriber(served.url, "base"), work(tmp_path, 8.0))
    assert isinstance(outcome, Failed)
    assert (outcome.fault.blame, outcome.fault.code) == (Blame.TASK, "stt_error")
    assert [asked.seconds for asked in served.asked[PROBED:]] == [8.0, 8.0, 8.0]


async def test_a_server_that_ends_with_one_recording_alone_died_of_it(tmp_path: Path) -> None:
    with server(None, (200, told("It works."))) as served:
        outcome = await heard(RemoteTranscriber(served.url, "base"), work(tmp_path, 8.0))
    assert isinstance(outcome, Failed)
    assert (outcome.fault.blame, outcome.fault.died) == (Blame.ENGINE, True)


async def test_a_server_that_refuses_once_is_asked_again(tmp_path: Path) -> None:
    with server((500, b"busy"), (200, told("It works.")), (200, told(*WORDS))) as served:
        outcome = await heard(RemoteTranscriber(served.url, "base"), work(tmp_path, 8.0))
    assert isinstance(outcome, Transcribed)


async def test_no_answer_within_the_limit_is_a_death_and_the_next_attempt_has_longer(tmp_path: Path) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    recording = np.full(8 * RATE, 1000, "<i2").tobytes()

    def reply(asked: Asked) -> Reply:
        if asked.sound == recording:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return 200, told(*WORDS)

    with transcriptions(reply) as served:
        engine = RemoteTranscriber(served.url, "base", limit_s=0.5, limit_factor=0.0)
        asked = work(tmp_path, 8.0)
        first = await heard(engine, asked)
        assert isinstance(first, Failed)
        assert (first.fault.code, first.fault.died) == ("answer_timeout", True)
        assert "within 0 s" in first.fault.message or "within 1 s" in first.fault.message
        release.set()
        assert isinstance(await heard(engine, asked), Transcribed)


async def test_a_key_is_shown_from_its_file_and_stands_nowhere_else(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret-k3y\n")
    key.chmod(0o600)
    with server((200, told(*WORDS))) as served:
        engine = RemoteTranscriber(served.url, "base", key_file=key)
        outcome = await heard(engine, work(tmp_path, 8.0))
    assert {asked.key for asked in served.asked} == {"Bearer s3cret-k3y"}
    assert "s3cret" not in f"{outcome} {engine.report()} {engine.identity()}"


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (None, 0, "cannot be read"),
        ("k", 0o644, "chmod 600"),
        ("\n", 0o600, "has no key"),
        ("ä", 0o600, "ASCII"),
    ],
)
async def test_a_bad_key_file_stops_the_start_with_what_to_do(
    tmp_path: Path, content: str | None, mode: int, says: str
) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
        key.chmod(mode)
    with server() as served:
        engine = RemoteTranscriber(served.url, "base", key_file=key)
        with pytest.raises(EngineError, match=says):
            await engine.start()
    assert not served.asked
    assert engine.report().state == "unreachable"


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ((401, b"who are you?"), "check stt.api_key_file"),
        ((404, b"no such model"), "check stt.url and stt.model"),
        ((200, told()), "hears nothing in the probe clip"),
        (None, "was lost"),
    ],
)
async def test_a_server_that_does_not_hear_the_probe_clip_is_not_started(reply: Reply, says: str) -> None:
    with transcriptions(lambda asked: reply) as served:
        engine = RemoteTranscriber(served.url, "base")
        with pytest.raises(EngineError, match=says):
            await engine.start()
        assert not engine.alive


async def test_doctor_asks_the_server_also_beside_a_running_daemon(tmp_path: Path) -> None:
    running = DaemonStatus(
        version="1",
        pid=77,
        running=True,
        runtime="embedded",
        phase="stt",
        group=[],
        phase_since=None,
        why="",
        counts={},
        undelivered=0,
    )
    with server((200, told(*WORDS))) as served:
        config = load(None, {"INTROEVAL_STT__URL": served.url})
        known = Facts(config, None, {}, (), GpuState(absent="none"), running)
        (found,) = await whisper(known, lambda folder: remote_transcriber(config))
    assert "on another machine transcribed the probe clip" in found.text


def test_no_whisper_is_needed_here_and_it_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "introeval.toml"
    file.write_text('runtime = "docker"\n[stt]\nurl = "http://127.0.0.1:9"\napi_key_file = "key"\n')
    config = load(file, {})
    assert config.stt.api_key_file == tmp_path / "key"
    assert needed_models(config) == []
    assert _models(config) == ["base at http://127.0.0.1:9", "mistral", "llama3"]  # what machines compare
    assert streams(config.stt) == 4
    assert Placement(config, 8192.0).need_mb(frozenset({Stage.STT})) == 0


async def test_a_real_whisper_behind_such_a_server_gives_the_words_that_were_spoken(tmp_path: Path) -> None:
    from faster_whisper import WhisperModel

    model = WhisperModel(str(model_folder("whisper-tiny.en")), device="cpu", compute_type="int8")

    def reply(asked: Asked) -> Reply:
        audio = np.frombuffer(asked.sound, "<i2").astype(np.float32) / 32768
        segments, info = model.transcribe(audio, beam_size=1)
        made = [
            {"id": each.id, "start": each.start, "end": each.end, "text": each.text}
            | {"avg_logprob": each.avg_logprob, "no_speech_prob": each.no_speech_prob}
            | {"compression_ratio": each.compression_ratio}
            for each in segments
        ]
        return 200, json.dumps(
            {"language": info.language, "duration": len(audio) / 16_000, "segments": made}
        ).encode()

    media = MediaReader(max_duration_s=900, log=tmp_path / "media.log")
    decoded = await media.decode(SAMPLES / "s001_introduction.mp4", tmp_path / "s001.pcm")
    await media.aclose()
    assert not hasattr(decoded, "blame"), decoded
    with transcriptions(reply) as served:
        asked = SttWork(Ticket(1, 1, 1), decoded.pcm, decoded.takes)
        outcome = await heard(RemoteTranscriber(served.url, "tiny.en"), asked)
    assert isinstance(outcome, Transcribed)
    spoken = json.loads((SAMPLES / "words.json").read_text())["s001_introduction.mp4"]["words"]
    wanted = {word.strip(".,").lower() for word in spoken.split()}
    got = {word.strip(".,").lower() for word in outcome.transcript.text.split()}
    assert len(wanted & got) / len(wanted) > 0.8
