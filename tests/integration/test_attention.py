"""What wants a person, over the socket of a running daemon: shown, counted, and acknowledged."""

import os
import pwd
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from daemon.contracts.values import Ticket
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskPage
from daemon.contracts.wire.words import Order, Verb
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import Stage
from tests.support.inprocess import Lab, worked_off

pytestmark = pytest.mark.anyio

ME = pwd.getpwuid(os.getuid()).pw_name


async def ask(lab: Lab, method: str, path: str, **params: Any) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://introeval", timeout=20) as client:
        return await client.request(method, path, params=params)


async def wanting(lab: Lab, **params: Any) -> AttentionPage:
    return AttentionPage.model_validate((await ask(lab, "GET", "/attention", **params)).json())


async def status_of(lab: Lab) -> DaemonStatus:
    return DaemonStatus.model_validate((await ask(lab, "GET", "/status")).json())


def hopeless(stage: Stage, ticket: Ticket) -> Fault | None:
    return Fault(Blame.PERMANENT, "hopeless", "it cannot be rated") if ticket.task_id == 1 else None


async def test_each_is_acknowledged_once_by_its_key_and_then_left_out(tmp_path: Path) -> None:
    lab = Lab(tmp_path, script=hopeless)
    lab.hand_in("s001_me.mp4")
    lab.hand_in("cs1/notes.zip")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
        page = await wanting(lab)
        assert page.counts == (await status_of(lab)).attention == {"failed": 1, "refused": 1}
        failed, refused = page.lines
        assert (failed.who, failed.what, failed.reason) == ("s001", "s001_me.mp4", "it cannot be rated")
        assert (failed.next, failed.verb) == ("retry it", "retry")
        assert refused.what == "cs1/notes.zip", "it says from which folder"
        assert [line.key for line in (await wanting(lab, kind="refused")).lines] == [refused.key]

        for key in (failed.key, refused.key):
            path = f"/attention/{quote(key, safe='')}/acknowledge"
            assert (await ask(lab, "POST", path)).status_code == 200
            again = await ask(lab, "POST", path)
            assert again.status_code == 409, again.text
        assert (await wanting(lab)).total == 0
        assert (await status_of(lab)).attention == {}
        (line,) = [RefusedLine.model_validate(each) for each in (await ask(lab, "GET", "/refused")).json()]
        assert line.acknowledged
        for key in ("task:99", "alarm:none", "refused:none", "nothing", "task:x"):
            missing = await ask(lab, "POST", f"/attention/{key}/acknowledge")
            assert missing.status_code in (404, 409), key
        kept = await daemon.session(lambda db: db.execute_sql(
            "SELECT acknowledged_by FROM processing_tasks UNION ALL SELECT acknowledged_by FROM documents "
            "WHERE kind = 'reason'").fetchall())  # fmt: skip
        assert {by for (by,) in kept} == {ME, None}


async def test_what_a_line_offers_is_accepted_and_the_rest_is_refused_by_the_running_daemon(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path, script=hopeless)
    for student in ("s001", "s002", "s003"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await ask(lab, "POST", "/pause")
        lab.hand_in("s004_me.mp4")
        await daemon.intake.settle()
        tasks = TaskPage.model_validate((await ask(lab, "GET", "/tasks")).json()).tasks
        assert len(tasks) == 4
        for line in tasks:
            offered = set(TaskDetail.model_validate((await ask(lab, "GET", f"/tasks/{line.id}")).json()).can)
            assert offered == set(line.can)
            for verb in sorted({verb.value for verb in Verb} - offered):
                answer = await ask(lab, "POST", f"/tasks/{line.id}/{verb}")
                assert answer.status_code == 409, (verb, line)
                assert f"task {line.id}" in answer.json()["message"]
            verb = sorted(offered)[0]
            assert (await ask(lab, "POST", f"/tasks/{line.id}/{verb}")).is_success, (verb, line)


async def test_an_order_that_changes_nothing_is_not_offered_and_leaves_no_event(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert set((await status_of(lab)).can) == {"pause", "drain", "deadline"}
        for order in (Order.RESUME, Order.GO, Order.PAUSE, Order.PAUSE, Order.DRAIN, Order.DRAIN):
            assert (await ask(lab, "POST", f"/{order}")).is_success
        assert set((await status_of(lab)).can) == {"resume", "deadline"}
        orders = [event.message for event in daemon.events.recent(9) if event.kind == "order"]
        assert orders == ["pause", "drain"]


async def test_a_demonstration_model_is_named_in_the_status(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon():
        assert (await status_of(lab)).demo, "the embedded model is one unless another is configured"
