"""The routes that change things, open to `operators` only."""

from typing import Annotated

import structlog
from fastapi import Depends, FastAPI, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from daemon.api.calibration_routes import add_calibrating
from daemon.api.canary_routes import add_canary
from daemon.api.class_routes import add_classes
from daemon.api.errors import TaskId, account_of, as_json, problems, uid_of
from daemon.api.node_routes import add_nodes
from daemon.api.protocols import Controls, LiveAnswers
from daemon.contracts.task_query import AttentionQuery
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.base import Deadline, Forgotten, RaterAccepted
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import TaskDetail
from daemon.contracts.wire.words import Order, PlaceName, Verb
from daemon.core.errors import NotAllowed, Stopping
from daemon.core.timestamps import from_text, to_iso

log = structlog.get_logger()

_WORDS = frozenset(
    [
        *("tasks", "attention", "acknowledge", "deadline", "accept", "forget", "fairness", "canary", "run"),
        *("calibrations", "apply", "remove", "classes", "close", "roster", "decide", "undo", "nodes"),
        *(*Verb, *Order, *PlaceName),
    ]
)  # of a path; another word may be a student's


def add_changing(api: FastAPI, answers: LiveAnswers, controls: Controls) -> None:
    """Add the changing routes to `api`."""
    commands, wanting, stopping = controls.commands, controls.wanting, controls.stopping

    async def ordered_by(request: Request) -> str:
        # Looking up accounts may ask a directory server, which must not block the event loop.
        uid = uid_of(request)
        if not await run_in_threadpool(controls.operators, uid):
            raise NotAllowed("only the daemon's user, root and the operators' group may change things")
        if stopping():
            raise Stopping
        actor = await run_in_threadpool(account_of, uid)
        # A log can't forget, so it names no student, also if the student is an operator.
        shown = f"uid {uid}" if await answers.is_student(actor) else actor
        said = [part for part in request.url.path.split("/") if part in _WORDS or part.isdecimal()]
        log.info("asked", actor=shown, what=" ".join(said))
        return actor

    Actor = Annotated[str, Depends(ordered_by)]
    whole = problems(403, 503)

    add_classes(api, answers, controls.classes, ordered_by)

    @api.post("/tasks/{task_id}/{verb}", response_model=TaskDetail,
              responses=problems(403, 404, 409, 422, 503))  # fmt: skip
    async def post_task(actor: Actor, task_id: TaskId, verb: Verb, extract: bool = False) -> Response:
        """Retry, rate again, cancel, hold, release, deliver again, or acknowledge one task."""
        await commands.ask(verb, task_id, extract=extract, actor=actor)
        return as_json(await answers.task(task_id))

    @api.post("/attention/{key:path}/acknowledge", response_model=AttentionPage,
              responses=problems(403, 404, 409, 503))  # fmt: skip
    async def post_acknowledge(actor: Actor, key: Annotated[str, Path(max_length=1024)]) -> Response:
        """Record that a person has seen what the key names: a task, a refused file, or an alarm."""
        await wanting.acknowledge(key, actor)
        return as_json(await wanting.page(AttentionQuery()))

    @api.post("/deadline", response_model=DaemonStatus, responses=whole)
    async def post_deadline(actor: Actor, deadline: Deadline) -> Response:
        """Set the deadline of the class: ISO 8601 with its zone, or null for none."""
        try:
            at = None if deadline.at is None else from_text(deadline.at)
        except ValueError as exc:
            raise HTTPException(422, f"at must be a time with its zone, as in {to_iso(0)}") from exc
        await controls.classes.deadline(at, actor)
        return as_json(await answers.status(may_change=True))

    @api.post("/accept/{place}", response_model=DaemonStatus,
              responses=problems(403, 409, 503))  # fmt: skip
    async def post_accept(actor: Actor, place: PlaceName) -> Response:
        """Accept the folder that is there now as the inbox or the outbox."""
        await controls.accept(place, actor)
        return as_json(await answers.status(may_change=True))

    @api.post("/fairness/accept", response_model=DaemonStatus,
              responses=problems(403, 409, 422, 503))  # fmt: skip
    async def post_fairness(actor: Actor, accepted: RaterAccepted) -> Response:
        """Take a rater for grades in spite of its fairness card. It holds from the next rating on."""
        await controls.accept_rater(accepted.card, accepted.by, accepted.reason, actor)
        return as_json(await answers.status(may_change=True))

    @api.post("/forget/{student}", responses=problems(403, 404, 409, 503))
    async def post_forget(actor: Actor, student: Annotated[str, Path(max_length=256)]) -> Forgotten:
        """Delete every video, transcript and result of a student. This cannot be undone."""
        return await controls.forget(student, actor)

    add_calibrating(api, controls.calibrations, ordered_by)
    add_canary(api, commands, Depends(ordered_by))
    add_nodes(api, answers, controls.lenders, Depends(ordered_by))

    @api.post("/{order}", response_model=DaemonStatus, responses=whole)
    async def post_order(actor: Actor, order: Order, now: bool = False) -> Response:
        """Pause (`now`: running attempts end and wait again), resume, drain, or go."""
        await commands.order(order, at_once=now, actor=actor)
        return as_json(await answers.status(may_change=True))
