"""The routes of classes and decisions."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from daemon.api.errors import TaskId, as_json, problems
from daemon.api.protocols import LiveAnswers, Schooling
from daemon.contracts.wire.classes import ClassList, ClassShown, ClassWanted, DecisionWanted, RosterWanted
from daemon.contracts.wire.review import MOST_LINES, ReviewPage
from daemon.contracts.wire.tasks import TaskDetail
from daemon.core.timestamps import from_text, to_iso

ClassName = Annotated[str, Path(max_length=64)]


def add_classes(
    api: FastAPI,
    answers: LiveAnswers,
    classes: Schooling,
    ordered_by: Callable[[Request], Awaitable[str]],
) -> None:
    """Add the routes to `api`. `ordered_by` gives the account of an operator, and refuses others."""
    Actor = Annotated[str, Depends(ordered_by)]

    @api.get("/classes", response_model=ClassList, responses=problems(503))
    async def get_classes() -> Response:
        """The classes that were opened, the newest first."""
        return as_json(await classes.every())

    @api.get("/classes/{name}", response_model=ClassShown, responses=problems(404, 422, 503))
    async def get_class(name: ClassName) -> Response:
        """A class with its students: by its name, that of a day such as 2026-11-26, or `current`."""
        return as_json(await classes.show(name))

    @api.get("/classes/{name}/review", response_model=ReviewPage, responses=problems(404, 422, 503))
    async def get_review(
        name: ClassName,
        every: bool = False,
        offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = MOST_LINES,
    ) -> Response:
        """The results of a class that a person has to decide on, the most doubtful first, each whole with its
        doubts. `every`: also those that are decided or released.
        """
        return as_json(await classes.review(name, every=every, offset=offset, limit=limit))

    @api.post("/classes", response_model=ClassShown, responses=problems(403, 409, 422, 503))
    async def post_class(actor: Actor, wanted: ClassWanted) -> Response:
        """Open a class. What is claimed from now on belongs to it."""
        try:
            if wanted.deadline is not None:
                from_text(wanted.deadline)
        except ValueError as exc:
            raise HTTPException(422, f"deadline must be a time with its zone, as in {to_iso(0)}") from exc
        return as_json(await classes.open(wanted, actor))

    @api.post("/classes/close", response_model=ClassShown, responses=problems(403, 409, 503))
    async def post_class_close(actor: Actor) -> Response:
        """Close the open class."""
        return as_json(await classes.close(actor))

    @api.post("/classes/{name}/roster", response_model=ClassShown,
              responses=problems(403, 404, 409, 422, 503))  # fmt: skip
    async def post_roster(actor: Actor, name: ClassName, wanted: RosterWanted) -> Response:
        """Replace the roster of a class; `current` is the open one."""
        return as_json(await classes.set_roster(name, wanted.roster, actor))

    @api.post("/classes/{name}/release", response_model=ClassShown,
              responses=problems(403, 404, 409, 422, 503))  # fmt: skip
    async def post_release(actor: Actor, name: ClassName) -> Response:
        """Accept every result of a class that is not flagged, and that `review.release` holds back."""
        return as_json(await classes.release(name, actor))

    @api.post("/tasks/{task_id}/decide", response_model=TaskDetail,
              responses=problems(403, 404, 409, 422, 503))  # fmt: skip
    async def post_decision(actor: Actor, task_id: TaskId, wanted: DecisionWanted) -> Response:
        """Accept the result of a task, or change it, with a reason. The model's own stays in it."""
        await classes.decide(task_id, wanted, actor)
        return as_json(await answers.task(task_id))

    @api.post("/tasks/{task_id}/decide/undo", response_model=TaskDetail,
              responses=problems(403, 404, 409, 503))  # fmt: skip
    async def post_undo(actor: Actor, task_id: TaskId) -> Response:
        """Take back what people decided on a task: the next revision has what the model gave."""
        await classes.take_back(task_id, actor)
        return as_json(await answers.task(task_id))
