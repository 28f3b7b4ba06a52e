"""The routes of the canary."""

from typing import Annotated, Any

from fastapi import FastAPI

from daemon.api.errors import problems
from daemon.api.protocols import Commands
from daemon.contracts.wire.canary import CanaryLine


def add_canary(api: FastAPI, commands: Commands, ordered_by: Any) -> None:
    """Add the routes to `api`. `ordered_by` is the dependency that gives an operator's account."""
    Actor = Annotated[str, ordered_by]

    @api.get("/canary", responses=problems(503))
    async def get_canary() -> list[CanaryLine]:
        """What is recorded of the canary for the configured models, and what differs."""
        return await commands.canaries()

    @api.post("/canary/run", responses=problems(403, 503))
    async def post_canary_run(actor: Actor) -> list[CanaryLine]:
        """Ask the canary again before the next task of each stage."""
        await commands.run_canary()
        return await commands.canaries()

    @api.post("/canary/accept", responses=problems(403, 409, 503))
    async def post_canary_accept(actor: Actor) -> list[CanaryLine]:
        """Make what drifted the reference."""
        await commands.accept_canary(actor)
        return await commands.canaries()
