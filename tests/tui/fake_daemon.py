"""A scripted daemon: a real HTTP server on a real Unix socket that speaks the wire types.

It runs in the loop of the test, or in a thread of its own (`Thread`). It can be slow, answer garbage, take
requests and never answer, be of another version, be killed and come back.
"""

import asyncio
import contextlib
import json
import multiprocessing
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.contracts.wire.attention import AttentionLine, AttentionPage
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.status import (
    AlarmLine,
    BatchState,
    Clock,
    DaemonStatus,
    Disk,
    EngineReport,
    GpuHistory,
    GpuPoint,
    GpuState,
    Inbox,
    NodeLine,
    PhaseSpan,
    PlaceLine,
    Rates,
)
from daemon.contracts.wire.tasks import DocumentLine, HistoryLine, TaskDetail, TaskLine, TaskPage
from daemon.contracts.wire.words import AttentionKind, Order, Ruling, Verb
from daemon.core.content.reasons import advice
from daemon.core.schedule.decision import View
from daemon.core.schedule.orders import useful
from daemon.core.schedule.phase_state import PhaseState
from daemon.core.tasks.offers import TaskFacts, Terms, offered, refusal
from daemon.core.tasks.task import Outcome, Status
from daemon.core.timestamps import from_text, to_iso
from tests.tui import fake_class

NOW = 1_700_000_000.0  # a Tuesday, 22:13:20 UTC
TERMS = Terms(program="introeval 1")
DOUBTS = (
    "the rating quotes words that the transcript does not have",
    "clarity of speech: the model wavered between scores, by 1.6 points",
    "2.1 points above the class, whose mean is 5.7",
)
_LONG_AGO = to_iso(NOW - TERMS.oldest_wait_s)
OPEN = {"uploaded", "stt_pending", "stt_processing", "stt_complete", "eval_pending", "eval_processing"}
OPEN |= {"mistral_complete", "llama_processing"}


def task(number: int, **changes: Any) -> TaskLine:
    """A task that waits, claimed the longer ago the smaller its number is."""
    claimed = NOW - 600 + number
    values: dict[str, Any] = {
        "id": number,
        "student": f"s{number:03d}",
        "filename": f"intro-{number}.mp4",
        "status": "uploaded",
        "stage": "stt",
        "outcome": None,
        "revision": 1,
        "retry_count": 0,
        "batch_id": None,
        "duration_s": 61.5,
        "held": False,
        "claimed_at": to_iso(claimed),
        "ended_at": None,
        "delivered_at": None,
        "estimated_completion": None,
        "eta": to_iso(NOW + 60 * number),
        "error_code": None,
        "error_message": None,
    }
    return TaskLine(**{**values, **changes})


def a_class() -> list[TaskLine]:
    """A class in the middle of its work, with one of each state."""
    ended = to_iso(NOW - 90)
    return [
        task(
            1,
            status="completed",
            stage=None,
            outcome="evaluated",
            ended_at=ended,
            delivered_at=ended,
            eta=None,
            rating=8,
        ),
        task(
            2,
            status="completed",
            stage=None,
            outcome="needs_review",
            ended_at=ended,
            delivered_at=ended,
            eta=None,
            rating=8,
            flag_codes=["evidence_not_found"],
        ),
        task(
            3,
            status="failed",
            stage=None,
            outcome="failed",
            ended_at=ended,
            retry_count=3,
            eta=None,
            error_code="stalled",
            error_message="the engine gave no answer in 300 s, three times",
        ),
        task(4, status="cancelled", stage=None, outcome="cancelled", ended_at=ended, eta=None),
        task(5, status="llama_processing", stage="rate", progress=0.4, started_at=to_iso(NOW - 8)),
        task(6, status="eval_processing", stage="extract", progress=0.75),
        task(7, status="stt_processing", stage="stt", batch_id=3, progress=0.78),
        task(8, status="stt_complete", stage="extract"),
        task(9, held=True, eta=None),
        task(10, retry_count=1, not_before=to_iso(NOW + 40)),
        *(task(number) for number in range(11, 31)),
    ]


def facts(line: TaskLine) -> TaskFacts:
    """A task, as the daemon's rule sees it."""
    rated = line.outcome in ("evaluated", "needs_review")
    return TaskFacts(
        id=line.id,
        status=Status(line.status),
        outcome=Outcome(line.outcome) if line.outcome else None,
        revision=line.revision,
        held=line.held,
        cancel_requested=False,
        claimed_at=from_text(line.claimed_at),
        has_transcript=rated,
        form_tried=rated,
        has_form=rated,
        error_code=line.error_code,
        judged_by=TERMS.judging(line.error_code) if line.error_code else None,
        video_kept=True,
        acknowledged=line.acknowledged,
        flag_codes=tuple(line.flag_codes),
        is_first=line.first,
        decided_by=line.decided_by,
    )


def can_of(line: TaskLine) -> list[str]:
    """The requests that the daemon accepts for a task."""
    return [verb.value for verb in offered(facts(line), TERMS, NOW)]


def orders_of(status: DaemonStatus) -> list[str]:
    """The orders that change something."""
    view = View(NOW, (), PhaseState(), paused=status.paused, draining=status.draining)
    return [order.value for order in useful(view)] + (["go"] if status.left else [])


def attention_of(line: TaskLine) -> AttentionLine | None:
    """Why a task wants a person, and what to do. Of the open tasks only the oldest are looked at closely."""
    if line.outcome is None and line.claimed_at > _LONG_AGO:
        return None
    why = advice(facts(line), line.error_message, TERMS, NOW)
    if why is None or line.acknowledged:
        return None
    return AttentionLine(
        key=f"task:{line.id}",
        kind=line.outcome or "waiting",
        at=line.ended_at or line.claimed_at,
        who=line.student,
        what=line.filename,
        reason=why.reason,
        next=why.next,
        verb=why.verb,
        task_id=line.id,
    )


def a_refusal(number: int = 1, **changes: Any) -> AttentionLine:
    """A file that became no task."""
    values: dict[str, Any] = {
        "key": f"refused:{number}",
        "kind": "refused",
        "at": to_iso(NOW - 300),
        "who": "account ana",
        "what": "IMG_2041.MOV",
        "reason": "no student can be read from the name",
        "next": "have it sent again in a folder of the student",
    }
    return AttentionLine(**{**values, **changes})


def a_status(**changes: Any) -> DaemonStatus:
    """What a busy daemon says of itself."""
    values: dict[str, Any] = {
        "version": "0.1.0",
        "pid": 4242,
        "running": True,
        "runtime": "docker",
        "now": to_iso(NOW),
        "seq": 1,
        "may_change": True,
        "phase": "stt",
        "group": ["stt"],
        "phase_since": to_iso(NOW - 65),
        "next_switch_at": to_iso(NOW + 700),
        "why": "3 of 10 of the batch are to be transcribed",
        "batch": BatchState(id=3, done=7, total=10),
        "left": 26,
        "counts": {"uploaded": 20, "stt_processing": 1, "stt_complete": 7, "completed": 118, "failed": 2},
        "held": 1,
        "undelivered": 0,
        "clock": Clock(
            done=12,
            total=30,
            expected_at=to_iso(NOW + 1800),
            deadline=to_iso(NOW + 1926),
            spare_s=126.0,
            state="on_time",
            outcomes={"evaluated": 10, "needs_review": 1, "failed": 1},
        ),
        "rates": Rates(tasks_per_h=112.9, mean_s=51.0),
        "engines": [
            EngineReport(
                stage="stt",
                name="whisper",
                state="ready",
                model="base",
                since=to_iso(NOW - 65),
                memory_mb=1400,
            ),
            EngineReport(
                stage="extract",
                name="mistral-container",
                state="stopped",
                model="mistral",
                since=to_iso(NOW - 480),
            ),
            EngineReport(
                stage="rate",
                name="llama3-container",
                state="stopped",
                model="llama3",
                since=to_iso(NOW - 480),
                restarts=2,
            ),
        ],
        "gpu": GpuState(
            name="RTX 3060 Ti",
            utilisation=87,
            used_mb=7066,
            total_mb=8192,
            temperature_c=71,
            power_w=140,
            power_limit_w=160,
        ),
        "inbox": Inbox(path="/srv/introeval/inbox", waiting=3),
        "places": [
            PlaceLine(name="inbox", path="/srv/introeval/inbox", state="known"),
            PlaceLine(name="outbox", path="/srv/introeval/outbox", state="known"),
        ],
        "disk": Disk(free_mb=61_000, total_mb=250_000, min_free_mb=2_000),
    }
    return DaemonStatus(**{**values, **changes})


def some_nodes() -> list[NodeLine]:
    """Four machines: one switches, one drains, and one has gone."""
    here = a_status()
    engine = EngineReport(
        stage="rate", name="llama3-container", state="degraded", detail="half of it runs on the processor"
    )

    def gpu(used_mb: float) -> GpuState:
        return GpuState(name="RTX 3060 Ti", used_mb=used_mb, total_mb=8192)

    return [
        NodeLine(
            name="local",
            address="10.0.0.1",
            standing="works",
            group=["stt"],
            in_hand=1,
            done=12,
            engines=here.engines,
            gpu=here.gpu,
        ),
        NodeLine(
            name="lab2", address="10.0.0.2", standing="works", to=["extract", "rate"], done=8, gpu=gpu(310)
        ),
        NodeLine(
            name="lab3",
            address="10.0.0.3",
            standing="draining",
            why="an operator asked for it",
            group=["rate"],
            in_hand=2,
            done=9,
            engines=[engine],
            gpu=gpu(6350),
        ),
        NodeLine(name="lab4", address="10.0.0.4", standing="away", why="it said nothing for 6 s", done=3),
    ]


def a_history() -> GpuHistory:
    """Five minutes of a GPU: evaluation, a switch, then stt."""
    groups = [["extract", "rate"]] * 25 + [[]] * 3 + [["stt"]] * 32
    points = [
        GpuPoint(
            at=to_iso(NOW - 5 * (60 - place)),
            utilisation=(5 if not group else 60 + place * 7 % 40),
            used_mb=(300 if not group else 7000 if "rate" in group else 1700),
            group=group,
        )
        for place, group in enumerate(groups)
    ]
    phases = [
        PhaseSpan(
            group=["stt"],
            started_at=to_iso(NOW - 75),
            ready_at=to_iso(NOW - 65),
            ended_at=None,
            switch_s=6.2,
            tasks=7,
        ),
        PhaseSpan(
            group=["extract", "rate"],
            started_at=to_iso(NOW - 480),
            ready_at=to_iso(NOW - 470),
            ended_at=to_iso(NOW - 75),
            switch_s=11.4,
            tasks=10,
            freed_mb=7700,
            foreign_mb=120,
            needed_mb=7000,
            margin_mb=690,
        ),
    ]
    return GpuHistory(points=points, phases=phases)


def some_events() -> list[EventLine]:
    """The newest first is for the dashboard to see to."""
    said = [
        ("order", "resumed", None),
        ("phase", "switched to stt in 6.2 s", None),
        ("task", "transcribed in 3.1 s", 8),
        ("alarm", "the outbox is nearly full", None),
        ("task", "failed: the video can't be decoded", 3),
    ]
    return [
        EventLine(
            id=number,
            at=to_iso(NOW - 60 + number),
            kind=kind,
            message=message,
            task_id=about,
            student=None if about is None else f"s{about:03d}",
            status="failed" if about == 3 else None,
        )
        for number, (kind, message, about) in enumerate(said, 1)
    ]


def a_score(score: int, expected: float) -> dict[str, Any]:
    """One criterion of a rating."""
    return {
        "expected": expected,
        "spread": 0.7,
        "interval": None,
        "legal_mass": 0.98,
        "quote": {"quote": "I want to build bridges", "start_s": 40.0, "end_s": 42.5},
        "source": "model",
        "model_score": score,
        "model_expected": expected,
    }


def a_result(line: TaskLine) -> dict[str, Any]:
    """A result as it is in the outbox."""
    return {
        "schema_version": 2,
        "task_id": line.id,
        "student_id": line.student,
        "revision": line.revision,
        "outcome": line.outcome or "evaluated",
        "transcript": {
            "text": "Hello, my name is Ana.",
            "language": "en",
            "language_probability": 0.98,
            "segments": [
                {"start_s": 0.0, "end_s": 2.5, "text": " Hello, my name is Ana."},
                {
                    "start_s": 2.5,
                    "end_s": 66.0,
                    "text": " I like climbing and chess, and I want to build bridges.",
                },
            ],
        },
        "speaking": {
            "speech_s": 51.2,
            "words_per_minute": 128.4,
            "pause_ratio": 0.18,
            "filler_words": {"um": 3},
        },
        "profile": {
            "name": "Ana",
            "age": 19,
            "hobbies": ["climbing", "chess"],
            "career_goals": "build bridges",
            "strengths": [],
        },
        "profile_evidence": {
            "name": [{"quote": "my name is Ana.", "start_s": 0.0, "end_s": 2.5}],
            "age": [{"quote": "19", "start_s": None, "end_s": None}],
            "hobbies": [{"quote": "I like climbing and chess", "start_s": 2.5, "end_s": 66.0}] * 2,
            "career_goals": [{"quote": "and I want to build bridges.", "start_s": 2.5, "end_s": 66.0}],
        },
        "evaluation": {
            "overall_rating": 8,
            "clarity_of_speech": 7,
            "content_quality": 8,
            "confidence_level": 9,
            "feedback": "A clear and friendly introduction. The goals could be more concrete.",
            "suggestions": ["Name one project.", "Pause less."],
            "evidence": [{"quote": "I want to build bridges", "start_s": 40.0, "end_s": 42.5}],
            "scores": {
                "overall_rating": a_score(8, 7.8),
                "clarity_of_speech": a_score(7, 6.6),
                "content_quality": a_score(8, 8.2),
                "confidence_level": a_score(9, 9.0),
            },
        },
    }


def a_detail(line: TaskLine) -> TaskDetail:
    """A task with a history."""
    begun = NOW - 600 + line.id

    def step(
        after: float,
        event: str,
        before: str | None,
        to: str,
        stage: str | None,
        attempt: int,
        seconds: float | None,
        **detail: Any,
    ) -> HistoryLine:
        return HistoryLine(
            at=to_iso(begun + after),
            event=event,
            from_status=before,
            to_status=to,
            stage=stage,
            attempt=attempt,
            seconds=seconds,
            detail=detail,
        )

    history = [
        step(0, "claimed", None, "uploaded", None, 0, None),
        step(60, "admitted", "uploaded", "stt_pending", "stt", 0, None, batch=3),
        step(61, "started", "stt_pending", "stt_processing", "stt", 1, None),
        step(75, "transcribed", "stt_processing", "stt_complete", "stt", 1, 14.2),
    ]
    if line.status == "failed":
        history.append(step(80, "failed", "stt_processing", "failed", "stt", 3, 2.0, code=line.error_code))
    return TaskDetail(
        **line.model_dump(),
        sha256="ab" * 32,
        size_bytes=310_000_000,
        flags=[{"code": "ungrounded", "field": "age", "detail": "19 was not said"}],
        history=history,
        documents=[
            DocumentLine(
                kind="receipt", name=f"{line.student}/{line.id}-intro.receipt.json", delivered_at=to_iso(NOW)
            )
        ],
    )


@dataclass
class FakeDaemon:
    """Answers on `path`. What it says is in its attributes; `requests` is what it was asked."""

    path: Path
    status: DaemonStatus = field(default_factory=a_status)
    tasks: list[TaskLine] = field(default_factory=a_class)
    gpu: GpuHistory = field(default_factory=a_history)
    events: list[EventLine] = field(default_factory=some_events)
    refused: list[AttentionLine] = field(default_factory=list)
    results: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by task, for the usual one
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    doubts: list[str] = field(default_factory=lambda: list(DOUBTS))  # of what needs review
    refusals: list[str] = field(default_factory=list)  # by the daemon's own rule
    delay_s: float = 0.0
    garbage: bytes | None = None  # said instead of every answer
    drops: int = 0  # so many answers to a POST that was obeyed are lost
    silent: bool = False  # takes requests and never answers
    refuse: tuple[int, str] | None = None  # the answer to every POST
    obeys: bool = True  # whether what is asked for a task comes true at once
    before: Callable[["FakeDaemon"], None] | None = None  # called for each GET /status
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    # --- life

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def kill(self) -> None:
        """End as with SIGKILL: connections break, the socket's file stays."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None

    async def restart(self) -> None:
        """Come back after `kill`, as another process."""
        self.path.unlink(missing_ok=True)
        self.status = self.status.model_copy(update={"pid": (self.status.pid or 0) + 1})
        await self.start()

    def asked(self, beginning: str) -> list[str]:
        """The requests that begin so."""
        return [request for request in self.requests if request.startswith(beginning)]

    def change(self, task_id: int, **changes: Any) -> None:
        """Change a task, and count it."""
        self.tasks = [line.model_copy(update=changes) if line.id == task_id else line for line in self.tasks]
        self.says(seq=self.status.seq + 1)

    def says(self, **changes: Any) -> None:
        """Change the status."""
        self.status = self.status.model_copy(update=changes)

    def attention(self) -> list[AttentionLine]:
        """What wants a person, the most urgent kind first."""
        alarms = [
            AttentionLine(
                key=f"alarm:{alarm.code}",
                kind="alarm",
                at=alarm.since,
                who=None,
                what=alarm.affects,
                reason=alarm.message,
                next=alarm.fix,
            )
            for alarm in self.status.alarms
            if not alarm.acknowledged
        ]
        lines = [*alarms, *self.refused, *filter(None, map(attention_of, self.tasks))]
        return sorted(lines, key=lambda line: list(AttentionKind).index(AttentionKind(line.kind)))

    def acknowledge(self, key: str) -> None:
        """Let a person have seen something."""
        self.refused = [line for line in self.refused if line.key != key]
        alarms = [
            alarm.model_copy(update={"acknowledged": True}) if key == f"alarm:{alarm.code}" else alarm
            for alarm in self.status.alarms
        ]
        self.says(alarms=alarms)
        if key.startswith("task:"):
            self.change(int(key[5:]), acknowledged=True)

    def _status(self) -> DaemonStatus:
        counts = dict(Counter(line.kind for line in self.attention()))
        return self.status.model_copy(update={"attention": counts, "can": orders_of(self.status)})

    # --- HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length")
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                method, target, _ = head.decode().split(" ", 2)
                self.requests.append(f"{method} {target}")
                self.bodies.append(body)
                if self.silent:
                    await asyncio.Event().wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.garbage is not None:
                    writer.write(self.garbage)
                    await writer.drain()
                    continue
                code, answer = self._answer(method, target, body)
                if method == "POST" and self.drops:
                    self.drops -= 1
                    break
                content = answer.encode()
                fields = f"content-type: application/json\r\ncontent-length: {len(content)}"
                writer.write(f"HTTP/1.1 {code} X\r\n{fields}\r\n\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # its end: the loop's own note of a cancelled connection would be noise
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, str]:
        path, _, query = target.partition("?")
        params = urllib.parse.parse_qs(query)
        parts = path.strip("/").split("/")
        if method == "POST":
            return self._order(parts, body)
        if path == "/status":
            if self.before is not None:
                self.before(self)
            return 200, self._status().model_dump_json()
        if path == "/attention":
            return 200, self._attention(params).model_dump_json()
        if path == "/tasks":
            return 200, self._page(params).model_dump_json()
        if path == "/gpu":
            return 200, self.gpu.model_dump_json()
        if path == "/events/recent":
            return 200, json.dumps([event.model_dump() for event in self.events])
        if path == "/logs":
            return 200, json.dumps([line.model_dump() for line in self._log(params)])
        if parts[0] == "classes":
            name = urllib.parse.unquote(parts[1])
            said = fake_class.review(self, name, params) if parts[2:] else fake_class.shown(self, name)
            return 200, said.model_dump_json()
        if parts[0] == "tasks":
            return self._task(int(parts[1]), parts[2:])
        return 404, json.dumps({"detail": "Not Found"})

    def _task(self, number: int, part: list[str]) -> tuple[int, str]:
        line = next((each for each in self.tasks if each.id == number), None)
        if line is None:
            return 404, json.dumps({"error": "UnknownTask", "message": f"there is no task {number}"})
        if part == ["stages"]:
            heard = line.stage != "stt"
            return 200, json.dumps({"transcript": a_result(line)["transcript"] if heard else None})
        if part == ["results"]:
            return 200, json.dumps(self.results_of(line))
        return 200, a_detail(offering(line)).model_dump_json()

    def results_of(self, line: TaskLine) -> list[dict[str, Any]]:
        """The results of a task, the last one last."""
        return self.results.get(line.id, [a_result(line)] if line.status == "completed" else [])

    def offering(self, line: TaskLine) -> TaskLine:
        """A task as the daemon sends it."""
        return offering(line)

    def _page(self, params: dict[str, list[str]]) -> TaskPage:
        chosen = self.tasks
        if params.get("open") == ["true"]:
            chosen = [line for line in chosen if line.status in OPEN]
        if statuses := params.get("status"):
            chosen = [line for line in chosen if line.status in statuses]
        if text := params.get("q"):
            chosen = [line for line in chosen if text[0] in f"{line.id} {line.student} {line.filename}"]
        order = params.get("order", ["age"])[0]
        if order == "student":
            chosen = sorted(chosen, key=lambda line: line.student)
        if params.get("descending") == ["true"]:
            chosen = chosen[::-1]
        offset, limit = int(params.get("offset", ["0"])[0]), int(params.get("limit", ["100"])[0])
        return TaskPage(total=len(chosen), tasks=[offering(each) for each in chosen[offset : offset + limit]])

    def _attention(self, params: dict[str, list[str]]) -> AttentionPage:
        lines = self.attention()
        offset, limit = int(params.get("offset", ["0"])[0]), int(params.get("limit", ["100"])[0])
        counts = dict(Counter(line.kind for line in lines))
        return AttentionPage(total=len(lines), counts=counts, lines=lines[offset : offset + limit])

    def _log(self, params: dict[str, list[str]]) -> list[LogLine]:
        about = params.get("task_id", ["0"])[0]
        texts = [f"task {about}: transcribing", "error: the answer was no JSON", "x" * 300]
        return [LogLine(at=to_iso(NOW - 30 + at), source="stt", text=text) for at, text in enumerate(texts)]

    def _order(self, parts: list[str], body: bytes) -> tuple[int, str]:
        if self.refuse is not None:
            return self.refuse[0], json.dumps({"error": "IllegalTransition", "message": self.refuse[1]})
        if parts[0] == "attention":
            key = urllib.parse.unquote(parts[1])
            if key not in {line.key for line in self.attention()}:
                return self._refused(f"nothing named {key} wants a person")
            self.acknowledge(key)
            return 200, "{}"
        if parts[0] in set(Order) and parts[0] not in orders_of(self.status):
            return self._refused(f"{parts[0]} changes nothing")
        if parts[0] != "tasks":
            changes = {
                "pause": {"paused": True},
                "resume": {"paused": False, "draining": False},
                "drain": {"draining": True},
            }
            self.says(**changes.get(parts[0], {}))
            return 200, self._status().model_dump_json()
        number, verb = int(parts[1]), parts[2]
        before = next(each for each in self.tasks if each.id == number)
        asked = Ruling(parts[-1]) if verb == Ruling.DECIDE else Verb(verb)
        if why := refusal(facts(before), asked, TERMS, NOW):
            return self._refused(why)
        if asked is Ruling.DECIDE:
            why = fake_class.decide(self, number, body)
            if why is not None:
                return self._refused(why)
        elif asked is Ruling.UNDO:
            fake_class.undo(self, number)
        elif self.obeys:
            self.obey(number, verb)
        line = next(each for each in self.tasks if each.id == number)
        return 200, a_detail(offering(line)).model_dump_json()

    def _refused(self, why: str) -> tuple[int, str]:
        self.refusals.append(why)
        return 409, json.dumps({"error": "IllegalTransition", "message": why})

    def obey(self, number: int, verb: str) -> None:
        """Let what was asked for a task come true."""
        changes: dict[str, dict[str, Any]] = {
            "cancel": {"status": "cancelled", "stage": None, "outcome": "cancelled"},
            "hold": {"held": True},
            "release": {"held": False},
            "retry": {
                "status": "uploaded",
                "stage": "stt",
                "revision": 2,
                "outcome": None,
                "error_code": None,
            },
            "rate": {"status": "mistral_complete", "stage": "rate", "revision": 2, "outcome": None},
            "acknowledge": {"acknowledged": True},
        }
        self.change(number, **changes.get(verb, {}))


def offering(line: TaskLine) -> TaskLine:
    """A task as the daemon sends it: with the requests that it accepts, and why it wants a person."""
    why = advice(facts(line), line.error_message, TERMS, NOW)
    return line.model_copy(update={"can": can_of(line), "reason": why.reason if why is not None else ""})


def alarmed() -> list[AlarmLine]:
    """Alarms of all kinds of length."""
    since = to_iso(NOW - 100)
    return [
        AlarmLine(
            code="outbox",
            message="the outbox /srv/introeval/outbox is full",
            affects="4 results that wait to be delivered",
            fix="free some space on its disk",
            since=since,
        ),
        AlarmLine(
            code="switch",
            message="the GPU is not free: pid 812 (python3 of ana) holds 2.1 GB",
            affects="all 26 open tasks",
            fix="end the process, or wait until it ends",
            since=since,
        ),
    ]


@contextlib.contextmanager
def in_process(fake: FakeDaemon) -> Iterator[None]:
    """The fake in a process of its own, so that it takes no time from the one who measures."""

    async def serve() -> None:
        await fake.start()
        await asyncio.Event().wait()

    process = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(serve()), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def in_thread(fake: FakeDaemon) -> Iterator[FakeDaemon]:
    """The fake in a thread with a loop of its own, for a dashboard that is a process."""
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        await fake.start()
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.kill(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
