"""What wants a person, over the socket of a running daemon: shown, counted, and acknowledged."""

import asyncio
import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from daemon.app.parts import Daemon
from daemon.cli import attention, read_commands, write_commands
from daemon.cli.common import Chosen
from daemon.contracts.values import Ticket
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskPage
from daemon.contracts.wire.words import AttentionKind, Order, Verb
from daemon.core.alarms import trouble
from daemon.core.errors import Blame, Fault, IllegalTransition, UsageError
from daemon.core.tasks.task import Outcome, Stage
from daemon.store import audit
from tests.support.inprocess import Lab, worked_off

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_output")]


ME = pwd.getpwuid(os.getuid()).pw_name


async def ask(lab: Lab, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(uds=str(lab.config.paths.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://introeval", timeout=20) as client:
        return await client.request(method, path, params=params, json=body)


async def wanting(lab: Lab, **params: Any) -> AttentionPage:
    return AttentionPage.model_validate((await ask(lab, "GET", "/attention", **params)).json())


async def status_of(lab: Lab) -> DaemonStatus:
    return DaemonStatus.model_validate((await ask(lab, "GET", "/status")).json())


def hopeless(stage: Stage, ticket: Ticket) -> Fault | None:
    return Fault(Blame.PERMANENT, "hopeless", "it cannot be rated") if ticket.task_id == 1 else None


def no_audio(stage: Stage, ticket: Ticket) -> Fault | None:
    return Fault(Blame.PERMANENT, "no_audio" if ticket.task_id == 1 else "decoder_hung", "it says nothing")


async def acknowledged(daemon: Daemon) -> list[str | None]:
    """What entries of the audit say was acknowledged; None for one that was emptied."""
    entries = [entry for entry in await daemon.session(audit.entries) if entry.what == "acknowledge"]
    return [json.loads(entry.details.text)["subject"] if entry.details.text else None for entry in entries]


async def test_each_is_acknowledged_once_by_its_key_and_then_left_out(tmp_path: Path) -> None:
    lab = Lab(tmp_path, script=hopeless)
    lab.hand_in("s001_me.mp4")
    lab.hand_in("s009/notes.zip")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
        daemon.alarms.set(trouble("intake_held_open s001/my video.mp4", "a program holds it"))
        daemon.alarms.set(trouble("degraded_rate", "it is on the processor"))
        page = await wanting(lab)
        assert page.counts == (await status_of(lab)).attention
        assert page.counts == {"alarm": 1, "degraded": 1, "failed": 1, "refused": 1}
        held, slow, failed, refused = page.lines
        assert (held.reason, held.next) == (
            "a program holds it",
            "end the copy, or the program that holds it",
        )
        assert "rate" in slow.what
        assert (failed.who, failed.what, failed.reason) == ("s001", "s001_me.mp4", "it cannot be rated")
        assert (failed.next, failed.verb) == ("retry it", "retry")
        assert refused.what == "s009/notes.zip", "it says from which folder"
        told = [event.message for event in daemon.events.recent(99) if "refused" in event.message]
        assert told == [f"s009/notes.zip is refused: {refused.reason}"]
        assert [line.key for line in (await wanting(lab, kind="refused")).lines] == [refused.key]

        for key in (held.key, slow.key, failed.key, refused.key):
            path = f"/attention/{quote(key, safe='')}/acknowledge"
            assert (await ask(lab, "POST", path)).status_code == 200
            again = await ask(lab, "POST", path)
            assert again.status_code == 409, again.text
        assert (await wanting(lab)).total == 0
        status = await status_of(lab)
        assert status.attention == {}
        assert [alarm.acknowledged for alarm in status.alarms] == [True, True], "they last all the same"
        daemon.alarms.clear("degraded_rate")
        daemon.alarms.set(trouble("degraded_rate", "it is on the processor"))
        assert [line.kind for line in (await wanting(lab)).lines] == ["degraded"], "it came back"
        assert (await ask(lab, "POST", f"/attention/{slow.key}/acknowledge")).is_success
        (line,) = [RefusedLine.model_validate(each) for each in (await ask(lab, "GET", "/refused")).json()]
        assert line.acknowledged
        for key in ("task:99", "alarm:none", "refused:none", "nothing", "task:x"):
            missing = await ask(lab, "POST", f"/attention/{key}/acknowledge")
            assert missing.status_code in (404, 409), key
        kept = await daemon.session(lambda db: db.execute_sql(
            "SELECT acknowledged_by FROM processing_tasks UNION ALL SELECT acknowledged_by FROM documents "
            "WHERE kind = 'reason'").fetchall())  # fmt: skip
        assert {by for (by,) in kept} == {ME, None}
        assert await acknowledged(daemon) == [
            "alarm intake_held_open", "alarm degraded_rate", "task 1", refused.key.replace(":", " "),
            "alarm degraded_rate",
        ]  # fmt: skip
        assert (await ask(lab, "POST", "/forget/s009")).is_success, "no event keeps what it was"
        assert (await acknowledged(daemon))[3] is None


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
            if line.rating is not None:
                assert "decide" in offered
                assert (await ask(lab, "POST", f"/tasks/{line.id}/decide", {})).is_success
            verb = sorted(offered & set(map(str, Verb)))[0]
            assert (await ask(lab, "POST", f"/tasks/{line.id}/{verb}")).is_success, (verb, line)


async def test_an_order_that_changes_nothing_is_not_offered_and_leaves_no_event(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert (await status_of(lab)).demo, "the embedded model is one unless another is configured"
        assert set((await status_of(lab)).can) == {"pause", "drain", "deadline"}
        for order in (Order.RESUME, Order.GO, Order.PAUSE, Order.PAUSE, Order.DRAIN, Order.DRAIN):
            assert (await ask(lab, "POST", f"/{order}")).is_success
        assert set((await status_of(lab)).can) == {"resume", "deadline"}
        orders = [event.message for event in daemon.events.recent(9) if event.kind == "order"]
        assert orders == ["pause", "drain"]


async def test_the_commands_show_acknowledge_and_filter_with_a_daemon_and_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lab = Lab(tmp_path, script=hopeless)
    lab.hand_in("s001_me.mp4")
    Chosen.file = lab.folder / "introeval.toml"

    async def told(command: Callable[..., object], *given: Any, **options: Any) -> tuple[list[str], str]:
        capsys.readouterr()
        await asyncio.to_thread(command, *given, **options)
        printed = capsys.readouterr()
        return printed.out.splitlines(), printed.err

    async with lab.daemon() as daemon:
        await worked_off(daemon)
        for name in ("s002_me.mp4", "a_rather_long_folder_name_of_a_course/" + "x" * 90 + ".zip"):
            lab.hand_in(name)
        await worked_off(daemon)
        lines, err = await told(attention.attention)
        assert lines[0].split("  ") == ["failed", "1", "s001", "s001_me.mp4"]
        assert lines[1:3] == ["    it cannot be rated", "    next: retry it; run: introeval retry 1"]
        assert lines[3].startswith("refused:")
        assert all(line and len(line) <= 80 for line in lines)
        assert "1 failed, 1 refused" in err
        lines, _ = await told(read_commands.tasks, outcome=[Outcome.FAILED])
        assert [line.split()[0] for line in lines if "s00" in line] == ["1"]
        lines, _ = await told(read_commands.tasks, flag=["demo_model"])
        assert not any("s00" in line for line in lines), "the scripted engines give no flag"
        with pytest.raises(UsageError, match="no flag 'quite'; did you mean quiet"):
            await told(read_commands.tasks, flag=["quite"])
        lines, _ = await told(read_commands.task, 1)
        assert "wants a person: it cannot be rated" in lines
        assert "next: retry it" in lines
        lines, _ = await told(read_commands.status)
        assert "wants a person: 1 failed, 1 refused; run: introeval attention" in lines

    lines, err = await told(attention.attention, kind=[AttentionKind.FAILED])
    assert lines[0].startswith("failed  1")
    assert "no daemon runs" in err
    lines, err = await told(read_commands.tasks, as_json=True)
    assert [task["can"] for task in json.loads("\n".join(lines))["tasks"]] == [[], []]
    assert "no daemon runs" in err
    _, err = await told(read_commands.logs)
    assert "no daemon runs" in err

    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lines, _ = await told(attention.acknowledge, ["1"])
        assert lines == ["acknowledged: 1"]
        with pytest.raises(IllegalTransition, match="acknowledged already"):
            await told(attention.acknowledge, ["1"])
        await told(attention.acknowledge, every=True)
        _, err = await told(attention.attention)
        assert "nothing wants a person" in err


async def test_every_failed_task_is_retried_but_those_whose_file_would_fail_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = Lab(tmp_path, script=no_audio)
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    Chosen.file = lab.folder / "introeval.toml"
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        await asyncio.to_thread(write_commands.retry, failed=True, as_json=True)
        printed = capsys.readouterr()
        assert [task["id"] for task in json.loads(printed.out)] == [2]
        assert "1 failed task would fail again" in printed.err
