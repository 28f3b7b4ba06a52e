"""The daemon and its two shared folders: a share that is away or goes away, and what blocks a file."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon.app.parts import Daemon
from daemon.contracts.documents import Document
from daemon.contracts.wire.status import DaemonStatus
from daemon.core.errors import PlaceError, StoreError, UsageError
from daemon.doctor import Finding, Level, folders
from daemon.doctor.facts import gather
from daemon.store import audit, documents
from tests.integration.test_cli_daemon import run, told
from tests.support.inprocess import Lab, worked_off
from tests.support.places import mark_of, share_at
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_backoff")]


@pytest.fixture(autouse=True)
def own_output() -> Iterator[None]:
    """The daemon beside a command in this process does not print where the command does."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.reset_defaults()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, settings={"intake.rescan_s": 0.5, "intake.poll": True})


async def work_off(lab: Lab, *students: str) -> None:
    """One run of the daemon, which takes and delivers a video of each."""
    for student in students:
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert daemon.alarms.all == []


def students(lab: Lab) -> list[str]:
    return sorted(str(result["student_id"]) for result in lab.results().values())


def alarm(daemon: Daemon, code: str) -> str:
    """The message of the alarm that lasts with this code; empty without one."""
    return next((str(each.trouble) for each in daemon.alarms.all if each.code.startswith(code)), "")


def states(status: DaemonStatus) -> dict[str, str]:
    return {place.name: place.state for place in status.places}


async def test_results_wait_for_a_share_that_is_away_at_the_start(lab: Lab) -> None:
    with share_at(lab.outbox) as share:
        await work_off(lab, "s001")
        share.take_away()
        lab.hand_in("s002_me.mp4")
        async with lab.daemon() as daemon:
            await until(lambda: "introeval accept outbox" in alarm(daemon, "outbox"))
            await daemon.intake.settle()
            await until(lambda: daemon.supervisor.idle)
            status = await daemon.observer.status()
            assert status.undelivered == 2  # the receipt and the result
            assert states(status) == {"inbox": "known", "outbox": "unknown"}
            assert list(lab.outbox.iterdir()) == []
            share.show()
            await worked_off(daemon)
            assert daemon.alarms.all == []
            assert states(await daemon.observer.status()) == {"inbox": "known", "outbox": "known"}
        assert students(lab) == ["s001", "s002"]


async def test_nothing_is_taken_from_the_bare_folder_of_an_inbox_that_is_away_at_the_start(lab: Lab) -> None:
    with share_at(lab.inbox) as share:
        await work_off(lab, "s001")
        share.take_away()
        (lab.inbox / "s002_bare.mp4").write_bytes(b"bare")
        async with lab.daemon() as daemon:
            await until(lambda: "introeval accept inbox" in alarm(daemon, "intake_inbox_unavailable"))
            assert states(await daemon.observer.status())["inbox"] == "unknown"
            assert [path.name for path in lab.inbox.iterdir()] == ["s002_bare.mp4"]
            (lab.inbox / "s002_bare.mp4").unlink()
            share.show()
            lab.hand_in("s003_me.mp4")
            await until(lambda: daemon.born)
            await worked_off(daemon)
            assert daemon.alarms.all == []
        assert students(lab) == ["s001", "s003"]


async def test_a_share_that_goes_away_while_running_costs_only_time(lab: Lab) -> None:
    with share_at(lab.outbox) as share:
        async with lab.daemon() as daemon:
            await worked_off(daemon)
            share.take_away()
            lab.hand_in("s001_me.mp4")
            await until(lambda: alarm(daemon, "outbox"))
            await daemon.intake.settle()
            await until(lambda: daemon.supervisor.idle)
            assert (await daemon.observer.status()).undelivered == 2
            assert list(lab.outbox.iterdir()) == []
            share.show()
            await worked_off(daemon)
            assert daemon.alarms.all == []
        assert students(lab) == ["s001"]


async def test_a_fresh_daemon_and_a_newly_configured_path_take_what_is_there(
    lab: Lab, tmp_path: Path
) -> None:
    await work_off(lab, "s001")
    lab.settings["paths.outbox"] = "elsewhere"
    await work_off(lab, "s002")
    assert [path.parent.name for path in (tmp_path / "elsewhere").glob("*/*.result.json")] == ["s002"]
    del lab.settings["paths.outbox"]
    await work_off(lab, "s003")
    assert students(lab) == ["s001", "s003"]


async def test_a_student_who_destroys_the_mark_stops_nothing(lab: Lab) -> None:
    await work_off(lab, "s001")
    whole = mark_of(lab.inbox).read_bytes()
    mark_of(lab.inbox).write_bytes(b"introeval place " + b"0" * 32 + b"\n")
    await work_off(lab, "s002")
    assert mark_of(lab.inbox).read_bytes() == whole
    mark_of(lab.inbox).unlink()
    mark_of(lab.outbox).unlink()
    await work_off(lab, "s003")
    assert students(lab) == ["s001", "s002", "s003"]


async def test_the_folder_that_stands_there_now_is_accepted_by_a_command(lab: Lab) -> None:
    with share_at(lab.outbox) as share:
        await work_off(lab, "s001")
        share.take_away()
        lab.hand_in("s002_me.mp4")
        async with lab.daemon() as daemon:
            await until(lambda: alarm(daemon, "outbox"))
            shown = (await run(lab, "status")).stdout
            assert "outbox unknown" in shown
            assert (
                f"The folder of the outbox, {lab.outbox}, is unknown."
                in (await run(lab, "status", "--plain")).stdout
            )
            answer = await told(lab, "accept", "outbox")
            assert {place["name"]: place["state"] for place in answer["places"]}["outbox"] == "known"
            await worked_off(daemon)
            assert daemon.alarms.all == []
            orders = [event.message for event in daemon.events.recent(100) if event.kind == "order"]
            assert orders == [f"accept outbox: {lab.outbox}"]
            entries = await daemon.session(audit.entries)
            (accepted,) = [entry for entry in entries if entry.what == "accept"]
            details = json.loads(accepted.details.text or "")
            assert details["subject"] == "outbox"
            assert details["before"]["mark"] != details["after"]["mark"]
        assert students(lab) == ["s002"]
        await work_off(lab, "s003")
        assert students(lab) == ["s002", "s003"]


async def test_a_folder_that_is_not_there_cannot_be_accepted(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        mark_of(lab.outbox).unlink()
        lab.outbox.rmdir()
        done = await run(lab, "accept", "outbox")
        assert isinstance(done.exception, PlaceError)
        assert "create the folder or mount it again" in str(done.exception)
        assert states(await daemon.observer.status())["outbox"] == "away"
        assert (await run(lab, "accept", "elsewhere")).exit_code == UsageError.exit_code


async def test_what_is_blocked_by_another_file_is_told_and_stops_nothing_else(lab: Lab) -> None:
    blocked = 70  # more than are delivered at one time
    lab.outbox.mkdir()
    (lab.outbox / "s000").write_bytes(b"a file where a folder should be")
    for number in range(blocked):
        lab.hand_in(f"s000_{number}.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: daemon.born == blocked)
        lab.hand_in("s001_me.mp4")
        await until(lambda: students(lab) == ["s001"])
        await worked_off(daemon)
        lab.hand_in("s002_me.mp4")
        await until(lambda: students(lab) == ["s001", "s002"])
        await worked_off(daemon)
        codes = [each.code for each in daemon.alarms.all]
        assert len(codes) == 21, codes
        assert "it is delivered once the file is gone; move the file away" in alarm(daemon, "outbox_blocked ")
        assert f"{2 * blocked - 20} more" in next(
            str(each.trouble) for each in daemon.alarms.all if each.code == "outbox_blocked"
        )
        assert (await daemon.observer.status()).undelivered == daemon.delivery.blocked == 2 * blocked
        (lab.outbox / "s000").unlink()
        await until(lambda: len(lab.results()) == blocked + 2)
        await until(lambda: not daemon.alarms.all)


async def test_a_file_of_somebody_else_under_the_name_of_a_result_is_kept(lab: Lab) -> None:
    target = lab.outbox / "s001" / "0001-s001_me.result.json"
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        target.parent.mkdir()
        target.write_bytes(b"{}")
        lab.hand_in("s001_me.mp4")
        await until(lambda: daemon.born)
        await worked_off(daemon)
        assert f"{target} is not the result" in alarm(daemon, "outbox_blocked")
        assert target.read_bytes() == b"{}"
        assert (await daemon.observer.status()).undelivered == 1
        target.rename(lab.folder / "theirs")
        await until(lambda: not daemon.alarms.all)
    assert students(lab) == ["s001"]


@pytest.mark.parametrize("runs", [True, False])
async def test_a_student_is_not_forgotten_while_the_results_are_on_a_share_that_is_away(
    lab: Lab, *, runs: bool
) -> None:
    with share_at(lab.outbox) as share:
        await work_off(lab, "s001")
        share.take_away()
        if runs:
            async with lab.daemon():
                refused = await run(lab, "forget", "s001", "--yes")
        else:
            refused = await run(lab, "forget", "s001", "--yes")
        assert "mount it again" in str(refused.exception)
        share.show()
        assert (await told(lab, "forget", "s001", "--yes"))["files"] == 3
        assert students(lab) == []


async def test_doctor_names_the_state_of_each_place_with_and_without_a_daemon(lab: Lab) -> None:
    async def found() -> dict[str, Finding]:
        facts = await gather(lab.config, None, {}, ())
        return {finding.check: finding for finding in folders.places(facts)}

    assert await found() == {}
    with share_at(lab.outbox) as share:
        await work_off(lab, "s001")
        assert {each.level for each in (await found()).values()} == {Level.OK}
        share.take_away()
        without = await found()
        async with lab.daemon() as daemon:
            await until(lambda: alarm(daemon, "outbox"))
            await until(lambda: daemon.intake.available)
            beside = await found()
        share.show()
        assert {each.level for each in (await found()).values()} == {Level.OK}
    for each in (without, beside):
        assert each["place inbox"].level is Level.OK
        assert each["place outbox"].level is Level.FAIL
        assert each["place outbox"].text.startswith("unknown: ")
        assert each["place outbox"].fix.endswith("run: introeval accept outbox")


async def test_an_inbox_that_is_gone_is_away(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.inbox.rename(lab.folder / "elsewhere")
        await until(lambda: not daemon.intake.available)
        assert states(await daemon.observer.status())["inbox"] == "away"
        (lab.folder / "elsewhere").rename(lab.inbox)
        await until(lambda: daemon.intake.available)
        assert states(await daemon.observer.status())["inbox"] == "known"


async def test_a_database_that_failed_once_is_no_alarm_for_ever(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    undelivered, rounds = documents.undelivered, [0]

    def failing(*args: Any, **named: Any) -> list[Document]:
        rounds[0] += 1
        if rounds[0] == 1:
            raise StoreError("the database cannot be read: disk I/O error")
        return undelivered(*args, **named)

    async with lab.daemon() as daemon:
        await worked_off(daemon)
        heard: list[tuple[str, bool]] = []
        daemon.alarms.changed.connect(lambda alarm, lasts: heard.append((alarm.code, lasts)))
        monkeypatch.setattr(documents, "undelivered", failing)
        daemon.delivery.hint()  # in a lab in which nobody else writes any more
        await until(lambda: rounds[0] > 1 and not daemon.alarms.all)
        assert heard == [("store", True), ("store", False)]
