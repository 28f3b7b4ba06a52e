"""`introeval rate`: asks for new ratings, waits for them, and compares them with the results before."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from daemon.api import client
from daemon.cli.watching import ask_status
from daemon.config.load import Config
from daemon.contracts.wire.tasks import TaskLine, TaskPage
from daemon.contracts.wire.words import Verb
from daemon.core.content.comparison import Comparison, Document, compare, pair
from daemon.core.tasks.task import FINAL

_LOOK_S = 0.5
_CANARY = "canary"
_PAGE = 500


def rated(socket: Path) -> list[int]:
    """The ids of all tasks that can be rated again, in order. Says how many a person has decided on: these
    keep their grades. Raises NotRunning.
    """
    ids: list[int] = []
    before, decided = None, 0
    while lines := TaskPage.model_validate(client.get(socket, "/tasks", limit=_PAGE, before=before)).tasks:
        before = lines[-1].id
        ratable = [line for line in lines if Verb.RATE in line.can]
        ids += [line.id for line in ratable if line.decided_by is None]
        decided += sum(line.decided_by is not None for line in ratable)
    if decided:
        told = "1 is left as a person has" if decided == 1 else f"{decided} are left as people have"
        print(f"{told} decided; to rate one again all the same, run: introeval rate ID", file=sys.stderr)
    return sorted(ids)


def rate_again(config: Config, ids: Sequence[int], console: Console, *, extract: bool) -> Comparison:
    """Ask for new ratings, wait for all of them, and compare. Raises NotRunning and the daemon's errors."""
    socket = config.paths.socket
    for task_id in ids:
        client.post(socket, f"/tasks/{task_id}/{Verb.RATE}", extract=extract)
    open_ids = list(ids)
    told = ""
    with console.status(f"rating {len(open_ids)} again"):
        while open_ids:
            lines = [TaskLine.model_validate(client.get(socket, f"/tasks/{each}")) for each in open_ids]
            open_ids = [line.id for line in lines if line.status not in FINAL]
            if open_ids:
                if (now := _stopped(socket)) and now != told:
                    console.print(now, style="yellow", soft_wrap=True, markup=False)
                told = now
                time.sleep(_LOOK_S)
    found = (pair(client.get(socket, f"/tasks/{each}/results")) for each in ids)
    pairs = [each for each in found if each is not None]
    if not extract and (old := _old_forms(config, [after for _, after in pairs])):
        console.print(
            f"{old} of {len(pairs)} forms rest on another template than the present one; "
            "to read them again too, run: introeval rate --all --extract",
            style="yellow",
            soft_wrap=True,
        )
    return compare(pairs)


def _stopped(socket: Path) -> str:
    """The alarm of the canary, which keeps new ratings waiting; empty while there is none."""
    alarms = ask_status(socket).alarms
    return next((f"waits: {each.message}; {each.fix}" for each in alarms if each.code == _CANARY), "")


def _old_forms(config: Config, results: Sequence[Document]) -> int:
    """The number of results whose form was asked for with another template than the present one."""
    from daemon.llm.prompts import load_prompt  # Jinja takes long to import

    now = load_prompt("extract", config.prompts.folder).sha256
    return sum(each["provenance"].get("extract", {}).get("prompt_sha256", now) != now for each in results)
