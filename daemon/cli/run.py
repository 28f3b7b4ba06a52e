"""`introeval run --once`: runs the daemon in the foreground until the inbox is processed."""

import asyncio
import json
import logging
import logging.handlers
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from daemon.app.configured import is_demo
from daemon.app.parts import Daemon
from daemon.app.run import running
from daemon.cli.exit_codes import ExitCode
from daemon.config.load import Config
from daemon.contracts.documents import Kind
from daemon.core.errors import Paused
from daemon.core.tasks.task import FINAL, Status
from daemon.store import Database, measured, reports
from daemon.store.found import open_tasks
from daemon.system.state_folder import owned, write_privately
from daemon.system.waits import happens

_LOOK_S = 0.2
_LOG_BYTES = 10_000_000
_LOG_FILES = 5
_PAUSED = "nothing starts: an earlier pause still holds; start the daemon, then run: introeval resume"


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One task of the summary. `name` is from its form, `seconds` from claim to end;
    `not_for_grades` is its flag.
    """

    id: int
    student: str
    filename: str
    status: str
    outcome: str | None
    name: str | None
    rating: int | None
    not_for_grades: bool
    seconds: float
    result: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The summary of a run. `refused` counts files; `finished` is False when it was cut off; `demo` says that
    the ratings are of a demonstration model, and so no grades.
    """

    rows: list[SummaryRow]
    refused: int
    outbox: Path
    alarms: list[str]
    finished: bool
    demo: bool

    @property
    def exit_code(self) -> int:
        """Whether all is delivered, a task failed or a file was refused, or it could not finish."""
        if not self.finished:
            return ExitCode.UNFINISHED
        failed = self.refused or any(row.status == Status.FAILED for row in self.rows)
        return ExitCode.SOME_FAILED if failed else ExitCode.DONE

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "finished": self.finished,
            "refused": self.refused,
            "demo": self.demo,
            "outbox": str(self.outbox),
            "alarms": self.alarms,
            "tasks": [asdict(row) for row in self.rows],
        }


def run_once(config: Config, console: Console) -> Report:
    """Process what is in the inbox, with progress on `console`. Raises Paused and what a start raises.

    An empty file is judged like any other: nobody is there to wait for its content.
    """
    at_once = config.intake.model_copy(update={"empty_s": config.intake.settle_s})
    rate = config.rate
    if rate.idle_ratings == "auto":  # nobody is there to look at them
        rate = rate.model_copy(update={"idle_ratings": 0})
    config = config.model_copy(update={"intake": at_once, "rate": rate})
    write_privately()
    with owned(config.paths.state):
        log_to_file(config)
        return asyncio.run(_once(config, console))


def log_to_file(config: Config, *, also_stderr: bool = False) -> None:
    """Log as JSON lines to `<state>/log/daemon.log`, which rotates."""
    folder = config.paths.state / "log"
    folder.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(
            folder / "daemon.log", maxBytes=_LOG_BYTES, backupCount=_LOG_FILES
        )
    ]
    if also_stderr:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=handlers, force=True)
    for loud in ("httpx", "httpcore", "watchfiles"):
        logging.getLogger(loud).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


async def _once(config: Config, console: Console) -> Report:
    stop = stopped_by_signals()
    async with running(config, stop) as daemon:
        found = await daemon.session(open_tasks)
        earlier = [task.id for task in found if task.id < daemon.first_id]
        paused = daemon.first_orders.paused
        with _progress(console) as progress:
            finished = await _work_off(daemon, stop, progress, len(earlier), paused=paused)
        alarms = [str(alarm.trouble) for alarm in daemon.alarms.all]
        if (waiting := daemon.intake.waiting) and daemon.supervisor.orders.draining:
            finished = False
            told = f"{waiting} files were not claimed, since a drain was ordered"
            alarms.append(f"{told}; start the daemon, then run: introeval resume")
        rows = await daemon.session(_rows, daemon, earlier)
        refused = daemon.intake.refused
    return Report(rows, refused, config.paths.outbox, alarms, finished, is_demo(config))


async def _work_off(
    daemon: Daemon, stop: asyncio.Event, progress: Progress, earlier: int, *, paused: bool
) -> bool:
    """Wait until nothing is left. False when stopped, or when a file could not be claimed or delivered.

    `earlier` counts the tasks that were open before. Raises Paused when there is work and it was `paused`
    before. A pause ordered during the run is waited for: whoever ordered it is there to end it.
    """
    bar = progress.add_task("reading the inbox", total=None)
    settled = asyncio.create_task(daemon.intake.settle())
    while not (settled.done() and daemon.idle) and not stop.is_set():
        supervisor = daemon.supervisor
        if paused and supervisor.orders.paused and (supervisor.tasks or daemon.intake.waiting):
            raise Paused(_PAUSED)
        total, open_now = earlier + daemon.born, len(supervisor.tasks)
        group = " and ".join(sorted(supervisor.view.phase.group or ())) or "no engine"
        progress.update(
            bar,
            total=total or None,
            completed=total - open_now,
            description=f"{group}: {supervisor.decision.why}",
        )
        if settled.done() and supervisor.stopped_by_canary:
            break
        await happens(stop, _LOOK_S)
    settled.cancel()
    total = earlier + daemon.born
    progress.update(bar, total=total or None, completed=total, description="done")
    return daemon.idle and not stop.is_set() and not daemon.intake.alarms and not daemon.delivery.blocked


def _progress(console: Console) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Without a terminal it would show nothing but an empty line before the error.
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _rows(db: Database, daemon: Daemon, earlier: Sequence[int]) -> list[SummaryRow]:
    """The tasks open before this run and the tasks born in it, by id. Runs on the database thread."""
    rows = []
    for task_id in (*earlier, *measured.ids_from(db, daemon.first_id)):
        detail = reports.task(db, task_id)
        listed = detail.task
        results = [d for d in detail.documents if d.kind is Kind.RESULT and d.delivered_at is not None]
        said = _read_result(daemon.config.paths.outbox / results[-1].name) if results else {}
        ended = listed.ended_at if listed.status in FINAL and listed.ended_at else listed.last_updated
        rows.append(
            SummaryRow(
                id=listed.id,
                student=listed.student,
                filename=listed.filename,
                status=listed.status.value,
                outcome=listed.outcome and listed.outcome.value,
                name=(said.get("profile") or {}).get("name"),
                rating=(said.get("evaluation") or {}).get("overall_rating"),
                not_for_grades=any(flag["code"] == "not_for_grades" for flag in said.get("flags") or ()),
                seconds=ended - listed.claimed_at,
                result=results[-1].name if results else None,
            )
        )
    return rows


def _read_result(path: Path) -> dict[str, Any]:
    """A delivered result; empty when another tool has already moved it out of the outbox."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content


def stopped_by_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
