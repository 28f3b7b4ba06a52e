"""The routes of the machines that lend their GPU."""

from typing import Annotated, Any

from fastapi import FastAPI, Path

from daemon.api.errors import problems
from daemon.api.protocols import Answers, Lenders
from daemon.contracts.wire.status import NodeLine


def add_nodes(api: FastAPI, answers: Answers, lenders: Lenders, ordered_by: Any) -> None:
    """Add the routes to `api`. `ordered_by` is the dependency that gives an operator's account."""
    Actor = Annotated[str, ordered_by]

    @api.get("/nodes", responses=problems(503))
    async def get_nodes() -> list[NodeLine]:
        """This machine's node and those of others, with what each does for the class; see `/status`."""
        return (await answers.status(may_change=False)).nodes

    @api.post("/nodes/{name}/drain", responses=problems(403, 409, 503))
    async def post_drain(
        actor: Actor, name: Annotated[str, Path(max_length=256)], on: bool = True
    ) -> list[NodeLine]:
        """Let a machine finish what it has and give it no more; or, not `on`, give it work again."""
        await lenders.drain(name, on=on, actor=actor)
        return (await answers.status(may_change=False)).nodes
