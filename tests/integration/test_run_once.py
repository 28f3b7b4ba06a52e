"""`introeval run --once` against what an earlier run left standing."""

import asyncio
import io
import logging
import os
import stat
from pathlib import Path

import pytest
import structlog
from rich.console import Console

from daemon.cli import run, show
from daemon.contracts.wire.words import Order
from daemon.core.errors import Paused
from daemon.core.tasks.task import Stage
from tests.support.inprocess import Lab, worked_off
from tests.support.places import share_at
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose `run --once` is this process's, on scripted engines."""
    lab = Lab(tmp_path)
    monkeypatch.setattr(run, "running", lambda config, stop: lab.daemon())
    return lab


async def once(lab: Lab) -> run.Report:
    async with asyncio.timeout(20):
        return await run._once(lab.config, Console(file=io.StringIO()))


async def paused_before(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)


async def test_a_pause_of_before_is_told_at_once_with_the_way_on(lab: Lab) -> None:
    await paused_before(lab)
    lab.hand_in("s001_me.mp4")
    with pytest.raises(Paused, match="run: introeval resume") as refused:
        await once(lab)
    assert (refused.value.exit_code, str(refused.value).count("\n")) == (13, 0)
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.orders.paused)  # it still stands
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_a_pause_of_before_does_not_matter_where_there_is_nothing_to_do(lab: Lab) -> None:
    await paused_before(lab)
    assert (await once(lab)).exit_code == 0


async def test_a_pause_that_is_ordered_during_the_run_is_waited_for(lab: Lab) -> None:
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:

        async def operate() -> None:
            await daemon.supervisor.order(Order.PAUSE)
            await until(lambda: daemon.supervisor.tasks)
            await asyncio.sleep(3 * run._LOOK_S)  # it looks again, and has to wait on
            await daemon.supervisor.order(Order.RESUME)

        operating = asyncio.create_task(operate())
        with run._progress(Console(file=io.StringIO())) as progress:
            assert await run._work_off(daemon, asyncio.Event(), progress, 0, paused=False)
        await operating
    assert len(lab.results()) == 1


async def test_a_refused_file_is_told_by_the_exit_code_and_the_summary(lab: Lab) -> None:
    for name in ("s001_me.mp4", "s002_notes.txt"):
        lab.hand_in(name)
    report = await once(lab)
    said = [line.text for line in show.results(report)]
    assert (report.refused, report.exit_code) == (1, 3)
    assert "1 file was refused; see: introeval tasks --refused" in said


async def test_the_table_is_of_what_was_open_before_and_of_what_was_born_since(lab: Lab) -> None:
    lab.settings["run.stop_grace_s"] = 0
    lab.hand_in("s001_done.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.engines[Stage.STT].seconds = 60.0
        lab.hand_in("s002_open.mp4")
        await until(lambda: daemon.supervisor.tasks)
    lab.hand_in("s003_new.mp4")
    report = await once(lab)
    assert [(row.id, row.student, row.outcome) for row in report.rows] == [
        (2, "s002", "evaluated"),
        (3, "s003", "evaluated"),
    ]
    assert report.exit_code == 0


async def test_a_run_ends_and_says_so_when_another_file_stands_where_a_result_belongs(lab: Lab) -> None:
    lab.hand_in("s001_me.mp4")
    lab.hand_in("s002_me.mp4")
    lab.outbox.mkdir()
    (lab.outbox / "s001").write_bytes(b"a file where a folder should be")
    report = await once(lab)
    assert report.exit_code == 2
    assert sum("move the file away" in message for message in report.alarms) == 2
    assert [result["student_id"] for result in lab.results().values()] == ["s002"]
    (lab.outbox / "s001").unlink()
    assert (await once(lab)).exit_code == 0
    assert len(lab.results()) == 2


async def test_a_run_with_nothing_to_do_ends_though_the_outbox_is_another_folder(lab: Lab) -> None:
    with share_at(lab.outbox) as share:
        assert (await once(lab)).exit_code == 0
        share.take_away()
        report = await once(lab)
    assert report.exit_code == 0
    assert "introeval accept outbox" in report.alarms[0]


def test_nobody_else_may_read_what_a_run_writes_but_results_are_as_configured(lab: Lab) -> None:
    lab.settings["outbox.mode"] = "0644"
    lab.hand_in("s001_me.mp4")
    state = lab.config.paths.state
    state.mkdir()
    state.chmod(0o755)
    before = os.umask(0o022)
    handlers = logging.getLogger().handlers[:]
    try:
        assert run.run_once(lab.config, Console(file=io.StringIO())).exit_code == 0
    finally:
        os.umask(before)
        structlog.reset_defaults()
        logging.basicConfig(handlers=handlers, force=True)
    # A video has the mode that its student gave it; the folders around it are shut.
    written = [path for path in (state, *state.rglob("*")) if path.suffix not in (".mp4", ".sock")]
    assert {"introeval.db", "decoded", "daemon.log", "s001"} <= {path.name for path in written}
    assert [path for path in written if path.stat().st_mode & 0o007] == []
    (result,) = lab.outbox.glob("*/*.result.json")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (lab.outbox, result.parent, result)]
    assert modes == [0o755, 0o755, 0o644]


@pytest.mark.parametrize("model", ["smollm2", "llama3.gguf"])
async def test_the_ratings_of_a_demonstration_are_told_as_such(lab: Lab, model: str) -> None:
    lab.settings["embedded.rate_model"] = model
    lab.hand_in("s001_me.mp4")
    report = await once(lab)
    said = " ".join(line.text for line in show.results(report))
    assert ("7/10 demo" in said, "no grades" in said, report.as_json()["demo"]) == (model == "smollm2",) * 3
