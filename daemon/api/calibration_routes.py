"""The routes of calibration. Who scores gets no figure of the model through them."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from daemon.api.errors import TaskId, as_json, problems
from daemon.api.protocols import Calibrating
from daemon.contracts.wire.calibration import (
    AnchorSheet,
    CalibrationMade,
    CalibrationsKept,
    CalibrationUsed,
    CalibrationWanted,
)


def add_calibrating(
    api: FastAPI, calibrations: Calibrating, ordered_by: Callable[[Request], Awaitable[str]]
) -> None:
    """Add the routes to `api`. `ordered_by` gives the account of an operator, and refuses others."""
    Actor = Annotated[str, Depends(ordered_by)]

    @api.get("/calibrations/tasks", response_model=AnchorSheet, responses=problems(403, 404, 422, 503))
    async def get_anchors(actor: Actor, name: Annotated[str, Query(max_length=64)]) -> Response:
        """The tasks that a person is to score, without the model's figures: of the class of this name, of a
        day such as 2026-11-26, or of the `current` one.
        """
        return as_json(await calibrations.tasks(name))

    @api.get("/calibrations", response_model=CalibrationsKept, responses=problems(403, 409, 503))
    async def get_calibrations(actor: Actor) -> Response:
        """The calibrations that were made, and the one in use."""
        return as_json(await calibrations.kept())

    @api.post("/calibrations", response_model=CalibrationMade, responses=problems(403, 404, 409, 422, 503))
    async def post_calibration(actor: Actor, wanted: CalibrationWanted) -> Response:
        """Make a calibration of people's scores. It is not in use yet."""
        return as_json(await calibrations.make(wanted, actor))

    @api.post("/calibrations/remove", response_model=CalibrationUsed, responses=problems(403, 409, 503))
    async def post_removal(actor: Actor) -> Response:
        """Use no calibration from now on, and take back what the present one did."""
        return as_json(await calibrations.remove(actor))

    @api.post("/calibrations/{number}/apply", response_model=CalibrationUsed,
              responses=problems(403, 409, 422, 503))  # fmt: skip
    async def post_application(actor: Actor, number: TaskId) -> Response:
        """Correct the results of the calibration's class, and every rating from now on."""
        return as_json(await calibrations.apply(number, actor))
