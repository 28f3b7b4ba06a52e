"""The coming and going of nodes, carried out within a turn: what a lost one had in hand waits again."""

import structlog

from daemon.core.schedule.decision import LOCAL
from daemon.core.tasks.task import PENDING, RUNNING, Event
from daemon.supervisor.attempts import Attempts
from daemon.supervisor.nodes import NodeJoined, NodeLeft, NodeLost, Nodes, OfNode
from daemon.supervisor.task_book import TaskBook

log = structlog.get_logger()


async def take_of_node(letter: OfNode, nodes: Nodes, book: TaskBook, attempts: Attempts) -> None:
    """Do what a letter says of a node."""
    match letter:
        case NodeJoined(name=name, node=node):
            await lose(name, "it has joined anew", nodes, book, attempts)
            nodes.join(name, node)
        case NodeLeft(name=name):
            await lose(name, "it is given no work", nodes, book, attempts)
        case NodeLost(node=node, why=why):
            lost = nodes.having(node=node)
            if lost is not None:
                await lose(lost, why, nodes, book, attempts)


async def lose(name: str, why: str, nodes: Nodes, book: TaskBook, attempts: Attempts) -> None:
    """Forget a node, where it is known. What it had in hand waits again, and nobody is to blame."""
    if name == LOCAL:
        raise AssertionError(f"this machine's node is always there, but: {why}")
    if name not in nodes.phases:
        return
    phases, had = nodes.forget(name)
    tasks = [task for task in map(book.get, had) if task is not None]
    await attempts.interrupt(task.id for task in tasks if task.status in RUNNING)
    in_hand = [task for task in tasks if task.status in RUNNING | PENDING]
    for task in in_hand:
        event = Event.CANCELLED if task.cancel_requested else Event.RELEASED
        book.move(task.id, event, node=name if task.status in RUNNING else None)
    await phases.abandon()
    log.info("a node gets no more work", node=name, why=why, released=len(in_hand))
