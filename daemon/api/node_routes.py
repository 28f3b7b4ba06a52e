"""The routes of the machines that lend their GPU."""

from typing import Annotated, Any

from fastapi import FastAPI, Path

from daemon.api.errors import problems
from daemon.api.protocols import Lenders
from daemon.contracts.wire.nodes import MachineLine


def add_nodes(api: FastAPI, lenders: Lenders, ordered_by: Any) -> None:
    """Add the routes to `api`. `ordered_by` is the dependency that gives an operator's account."""
    Actor = Annotated[str, ordered_by]

    @api.get("/nodes")
    async def get_nodes() -> list[MachineLine]:
        """The other machines that have joined, and which of them work for the class."""
        return lenders.lines

    @api.post("/nodes/{name}/drain", responses=problems(403, 409, 503))
    async def post_drain(
        actor: Actor, name: Annotated[str, Path(max_length=256)], on: bool = True
    ) -> list[MachineLine]:
        """Let a machine finish what it has and give it no more; or, not `on`, give it work again."""
        lenders.drain(name, on=on)
        return lenders.lines
