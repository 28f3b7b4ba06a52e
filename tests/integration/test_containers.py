"""Containers of a real engine: started and proven, ended for sure, put back, and each of their states."""

import asyncio
import json
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import DockerException

from daemon.containers.container import Container
from daemon.containers.engine import DockerEngine, EngineSilent, RestartPolicy, translated
from daemon.containers.hints import Hints
from daemon.containers.host import ContainerHost
from daemon.containers.ready import OllamaServer
from daemon.containers.server_host import RemoteHost
from daemon.containers.takeover_record import TakeoverRecord
from daemon.containers.warm import HOME, read_ahead
from daemon.core.errors import EngineError
from daemon.core.schedule.memory import KvCache
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage
from daemon.llm.client import Request
from daemon.llm.limits import AnswerLimits
from daemon.node.docker import DockerNode
from tests.docker.docker_lab import OPTIONS, Alarms, Box, Hosted, hosted
from tests.docker.docker_proxy import proxied
from tests.docker.engine import Containers, Engine
from tests.ollama_server import Manner, serving
from tests.support.scripted import Log, ScriptedEngine
from tests.support.waiting import until

docker = pytest.mark.docker
pytestmark = pytest.mark.anyio
FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
FIRST = Request("Are you ready?", FORM, replace(OPTIONS, num_predict=1))
ENDS_AT_ONCE = [sys.executable, "-c", "raise SystemExit(3)"]


@pytest.fixture
def box(containers: Containers) -> Box:
    return Box(containers, "mistral")


@docker
async def test_a_container_runs_and_has_answered_between_start_and_stop(box: Box, tmp_path: Path) -> None:
    box.make()
    host = hosted(box, tmp_path).host
    client = (await host.start(FIRST)).client
    assert host.alive
    assert (host.identity.model, host.identity.runtime) == ("mistral", "docker")
    assert host.identity.digest.startswith("sha256:")
    assert host.report().state == "ready"
    answer = await client.generate(Request("Who are you?", FORM, OPTIONS), lambda tokens: None)
    assert json.loads(answer.text)
    await host.stop()
    assert (host.alive, box.status, host.report().state) == (False, "exited", "stopped")


@docker
async def test_stopping_what_is_gone_already_or_was_never_made_is_no_error(box: Box, tmp_path: Path) -> None:
    host = hosted(box, tmp_path).host
    await host.stop()
    box.make()
    await host.stop()
    await host.stop()


@docker
async def test_a_container_that_ends_by_itself_is_a_failure_and_then_a_crash_loop(
    box: Box, tmp_path: Path
) -> None:
    box.make(ENDS_AT_ONCE)
    host = hosted(box, tmp_path).host
    with pytest.raises(EngineError, match=r"ended by itself .exit code 3.; see: docker logs"):
        await host.start(FIRST)
    assert host.report().state == "failed"
    with pytest.raises(EngineError, match="each time"):
        await host.start(FIRST)
    await host.stop()
    assert (host.report().state, host.report().restarts, box.status) == ("crash_loop", 2, "exited")


@docker
async def test_one_that_its_policy_restarts_for_ever_is_caught_and_ended(box: Box, tmp_path: Path) -> None:
    box.more = {"restart_policy": {"Name": "always"}}
    made = box.make(ENDS_AT_ONCE)
    made.start()
    setup = hosted(box, tmp_path)
    with pytest.raises(EngineError):
        await setup.host.start(FIRST)
    assert box.status == "exited"
    await setup.host.restore("stop")
    assert box.made.attrs["HostConfig"]["RestartPolicy"]["Name"] == "always"


@docker
async def test_a_missing_container_is_named_and_found_once_it_is_made(box: Box, tmp_path: Path) -> None:
    host = hosted(box, tmp_path).host
    with pytest.raises(EngineError, match=r"no container .*introeval setup"):
        await host.start(FIRST)
    assert host.report().state == "missing"
    await host.look()
    assert host.report().state == "missing"
    box.make()
    await host.look()
    assert host.report().state == "stopped"
    await host.start(FIRST)
    box.made.remove(force=True)
    await host.look()
    assert not host.alive
    box.make()
    await host.stop()
    await host.start(FIRST)
    assert host.alive


@docker
async def test_a_container_renamed_while_it_runs_is_ended_all_the_same(box: Box, tmp_path: Path) -> None:
    made = box.make()
    host = hosted(box, tmp_path).host
    await host.start(FIRST)
    made.rename(box.containers.name("elsewhere"))
    new = box.make()
    await host.stop()
    made.reload()
    new.reload()
    assert (made.status, new.status) == ("exited", "created")


@docker
async def test_a_container_that_comes_back_in_the_wrong_phase_is_ended_with_an_alarm(
    box: Box, tmp_path: Path
) -> None:
    made = box.make()
    now = [1000.0]
    setup = hosted(box, tmp_path, calm_s=60.0, clock=lambda: now[0])
    await setup.host.stop()
    made.start()
    await setup.host.look()
    assert box.status == "exited"
    assert "started from outside" in setup.alarms.lasting["container_extract"]
    now[0] += 59
    await setup.host.look()
    assert setup.alarms.lasting
    now[0] += 1
    await setup.host.look()
    assert not setup.alarms.lasting


@docker
async def test_a_restart_policy_is_taken_away_while_it_is_ours_and_given_back(
    box: Box, tmp_path: Path
) -> None:
    box.more = {"restart_policy": {"Name": "on-failure", "MaximumRetryCount": 4}}
    box.make().start()
    setup = hosted(box, tmp_path)
    await setup.host.stop()
    assert box.made.attrs["HostConfig"]["RestartPolicy"]["Name"] == "no"
    await setup.host.start(FIRST)
    await setup.host.stop()
    await setup.host.restore("restore")
    policy = box.made.attrs["HostConfig"]["RestartPolicy"]
    assert (box.status, policy) == ("running", {"Name": "on-failure", "MaximumRetryCount": 4})


@docker
@pytest.mark.parametrize("on_exit", ["restore", "stop"])
@pytest.mark.parametrize("ran", [True, False])
async def test_what_an_owner_had_is_put_back_also_by_the_next_daemon_after_a_crash(
    box: Box, tmp_path: Path, on_exit: Any, ran: bool
) -> None:
    made = box.make()
    if ran:
        made.start()
    await hosted(box, tmp_path).host.stop()  # and then the daemon is killed
    await hosted(box, tmp_path).host.start(FIRST)  # and the next one, too
    last = hosted(box, tmp_path).host
    await last.stop()
    await last.restore(on_exit)
    assert box.status == ("running" if ran and on_exit == "restore" else "exited")
    assert TakeoverRecord(tmp_path / "containers.json").names() == set()


@docker
async def test_a_stop_that_outlasts_its_grace_ends_in_a_kill(box: Box, tmp_path: Path) -> None:
    box.environment = {"OLLAMA_TEST_STOP_S": "60"}
    box.make()
    host = hosted(box, tmp_path, stop_timeout_s=1.0).host
    await host.start(FIRST)
    began = time.monotonic()
    await host.stop()
    assert (box.status, box.made.attrs["State"]["ExitCode"]) == ("exited", 137)
    assert time.monotonic() - began < 5


@docker
async def test_a_stop_without_an_answer_is_seen_by_its_effect(box: Box, tmp_path: Path) -> None:
    box.make()
    with proxied(tmp_path / "docker.sock", box.containers.engine.socket) as proxy:
        engine = DockerEngine(proxy.url, timeout_s=2)
        host = hosted(box, tmp_path, engine=engine).host
        await host.start(FIRST)
        proxy.held = "/stop"
        await host.stop()
        assert (host.report().state, box.status) == ("stopped", "exited")


@docker
async def test_an_engine_that_hangs_is_a_state_of_its_own_until_it_answers(box: Box, tmp_path: Path) -> None:
    box.make()
    with proxied(tmp_path / "docker.sock", box.containers.engine.socket) as proxy:
        returns: list[str] = []
        engine = DockerEngine(proxy.url, timeout_s=2)
        host = hosted(box, tmp_path, engine=engine, on_return=lambda: returns.append("")).host
        await host.start(FIRST)
        await host.look()
        proxy.held = "/containers/"
        with pytest.raises(EngineError, match="does not answer; see: systemctl status docker"):
            await host.stop()
        assert (host.report().state, box.status) == ("unreachable", "running")
        await host.look()
        assert not returns
        proxy.held = ""
        await host.look()
        assert (host.report().state, box.status) == ("stopped", "exited")
        await host.look()
        assert len(returns) == 1


async def test_an_engine_that_is_down_is_unreachable(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/none.sock", timeout_s=1)
    with pytest.raises(EngineError, match=r"no Docker engine at .*systemctl status docker") as caught:
        await engine.inspect("mistral-container")
    assert caught.value.state == "unreachable"  # type: ignore[attr-defined]


async def test_an_engine_that_hangs_when_the_sdk_connects_is_silent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(tmp_path / "docker.sock"))
        hanging.listen()
        engine = DockerEngine(f"unix://{tmp_path}/docker.sock", timeout_s=0.2)
        with pytest.raises(EngineSilent, match="does not answer; see: systemctl status docker"):
            await engine.inspect("mistral-container")
        await engine.aclose()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (
            DockerException("Error ... ('Connection aborted.', PermissionError(13, 'Permission denied'))"),
            "denied",
        ),
        (requests.ReadTimeout("read timed out"), "unreachable"),
        (requests.ConnectionError("refused"), "unreachable"),
        (ConnectionResetError("reset"), "unreachable"),
    ],
)
async def test_each_error_of_the_sdk_becomes_one_line_and_a_state(error: Exception, state: str) -> None:
    said = translated(error, "unix:///var/run/docker.sock")
    assert said.state == state
    assert "\n" not in str(said)


@docker
async def test_a_server_that_never_answers_a_generation_is_not_ready_and_left_running_by_nobody(
    box: Box, tmp_path: Path
) -> None:
    box.environment = {"OLLAMA_TEST_FAULTS": "freeze*-1"}
    box.make()
    host = hosted(box, tmp_path, load_timeout_s=1.5).host
    with pytest.raises(EngineError):
        await host.start(FIRST)
    assert (host.alive, host.report().state, box.status) == (False, "failed", "exited")


@docker
async def test_a_program_that_opens_no_port_is_given_up_after_the_load_timeout(
    box: Box, tmp_path: Path
) -> None:
    box.make([sys.executable, "-c", "import time; time.sleep(60)"])
    host = hosted(box, tmp_path, load_timeout_s=1.0, stop_timeout_s=1.0).host
    with pytest.raises(EngineError, match="did not answer within 1 s"):
        await host.start(FIRST)
    assert box.status == "exited"


@docker
async def test_a_model_partly_on_the_processor_is_loaded_anew_restarted_once_then_degraded(
    box: Box, tmp_path: Path
) -> None:
    box.environment = {"OLLAMA_TEST_GPU_SHARE": "0.4"}
    box.make()
    host = hosted(box, tmp_path, gpu=True).host
    first = time.time()
    await host.start(FIRST)
    assert host.report().state == "degraded"
    assert (
        host.identity.degraded == "only 40% of mistral:latest is on the GPU; free its memory; see: nvidia-smi"
    )
    started = box.made.attrs["State"]["StartedAt"]
    assert host.alive
    assert started > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(first))
    asked = []

    def lower() -> bool:
        asked.append(True)
        return True

    less = hosted(box, tmp_path, gpu=True, lower=lower).host
    with pytest.raises(EngineError, match="the next attempt uses less memory"):
        await less.start(FIRST)
    assert asked == [True]


@docker
async def test_without_a_gpu_the_model_need_not_be_on_one_and_provenance_says_so(
    box: Box, tmp_path: Path
) -> None:
    box.environment = {"OLLAMA_TEST_GPU_SHARE": "0"}
    box.make()
    host = hosted(box, tmp_path).host
    await host.start(FIRST)
    assert (host.identity.device, host.identity.degraded) == ("cpu", "")
    assert (host.report().state, host.report().detail) == (
        "ready",
        "on the processor: this machine has no GPU",
    )


@docker
async def test_a_start_that_is_cancelled_leaves_nothing_behind_once_it_is_stopped(
    box: Box, tmp_path: Path
) -> None:
    box.environment = {"OLLAMA_TEST_LOAD_S": "30"}
    box.make()
    host = hosted(box, tmp_path).host
    for delay in (0.0, 0.02, 0.1, 0.4):
        starting = asyncio.create_task(host.start(FIRST))
        await asyncio.sleep(delay)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await host.stop()
        assert box.status in ("created", "exited")
    await asyncio.sleep(0.5)
    assert box.status in ("created", "exited")


@docker
async def test_a_container_that_is_killed_in_use_is_seen_and_started_again(box: Box, tmp_path: Path) -> None:
    box.make()
    host = hosted(box, tmp_path).host
    await host.start(FIRST)
    box.made.kill()
    await host.look()
    assert (host.alive, host.report().state, host.report().restarts) == (False, "failed", 1)
    await host.stop()
    await host.start(FIRST)
    assert (host.alive, host.report().state) == (True, "ready")


@docker
async def test_a_paused_container_is_ended_and_started_anew(box: Box, tmp_path: Path) -> None:
    made = box.make()
    made.start()
    made.pause()
    host = hosted(box, tmp_path, stop_timeout_s=1.0).host
    await host.start(FIRST)
    assert box.status == "running"


@docker
async def test_a_model_that_is_loaded_anew_in_mid_phase_is_an_alarm_until_the_next_start(
    box: Box, tmp_path: Path
) -> None:
    box.environment = {"OLLAMA_TEST_LOAD_S": "1.2"}
    box.make()
    setup = hosted(box, tmp_path)
    client = (await setup.host.start(FIRST)).client
    box.control(fault="reload", times=1)
    await client.generate(Request("Who are you?", FORM, OPTIONS), lambda tokens: None)
    assert "loaded again" in setup.alarms.lasting["reload_extract"]
    await setup.host.stop()
    await setup.host.start(FIRST)
    assert not setup.alarms.lasting


@docker
async def test_the_plan_is_told_what_a_server_holds_and_what_its_model_takes(
    box: Box, tmp_path: Path
) -> None:
    setup = ServerSetup(3, KvCache.Q8_0)
    box.environment = setup.environment
    box.make()
    told: list[tuple[bool, ServerSetup]] = []
    host = hosted(box, tmp_path, on_described=lambda need, its: told.append((need is not None, its))).host
    await host.stop()
    assert told == [(False, setup)]
    await host.start(FIRST)
    assert told[-1] == (True, setup)
    assert host.identity.provenance["kv_cache"] == "q8_0", "a result says so"


def node_of(setup: Hosted, patrol_s: float) -> DockerNode:
    log = Log()
    stt, extract, rate = (ScriptedEngine(stage, log) for stage in Stage)
    return DockerNode(
        stt,
        extract,
        rate,
        lambda ticket, done: None,
        engine=setup.engine,
        hosts={Stage.EXTRACT: setup.host},
        patrol_s=patrol_s,
    )


@docker
@pytest.mark.parametrize(
    ("events", "patrol_s"), [(False, 0.1), (True, 3600.0)], ids=["by looking", "by hints"]
)
async def test_a_node_looks_after_its_containers_and_puts_them_back_once(
    box: Box, tmp_path: Path, events: bool, patrol_s: float
) -> None:
    box.make().start()
    with proxied(tmp_path / "docker.sock", box.containers.engine.socket) as proxy:
        proxy.held = "" if events else "/events"
        setup = hosted(box, tmp_path, engine=DockerEngine(proxy.url))
        node = node_of(setup, patrol_s)
        await setup.host.stop()
        await node.ensure(frozenset({Stage.STT}))
        box.made.start()
        await until(lambda: "container_extract" in setup.alarms.ever)
        await until(lambda: setup.host.report().state == "stopped" and box.status == "exited")
        await node.aclose()
        assert box.status == "running"
        await node.aclose()
        assert box.status == "running"


async def test_a_node_that_is_closed_before_its_first_switch_looks_after_nothing(tmp_path: Path) -> None:
    socket = tmp_path / "none.sock"
    engine = DockerEngine(f"unix://{socket}", timeout_s=1)
    box = Box(Containers(Engine(socket)), "mistral")
    node = node_of(hosted(box, tmp_path, engine=engine), 0.01)
    await node.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "patrol"]


async def test_while_a_group_is_loaded_the_weights_of_the_next_ones_are_read(tmp_path: Path) -> None:
    engine, kept = DockerEngine(f"unix://{tmp_path / 'none.sock'}", timeout_s=1), TakeoverRecord(tmp_path)
    read: list[Stage] = []

    async def no_gpu() -> bool:
        return False

    class Reading(ContainerHost):
        async def warm(self) -> None:
            read.append(self.stage)

    hosts: dict[Stage, ContainerHost] = {
        stage: Reading(
            stage, Container(engine, kept, stage), OllamaServer("", stage, no_gpu), lambda code, told: None
        )
        for stage in (Stage.EXTRACT, Stage.RATE)
    }
    log = Log()
    stt, extract, rate = (ScriptedEngine(stage, log) for stage in Stage)
    node = DockerNode(
        stt, extract, rate, lambda ticket, done: None, engine=engine, hosts=hosts, patrol_s=3600.0
    )
    await node.ensure(frozenset({Stage.STT}))
    await until(lambda: read == [Stage.EXTRACT, Stage.RATE])
    read.clear()
    await node.ensure(frozenset({Stage.EXTRACT}))
    await until(lambda: read[-1:] == [Stage.RATE])
    read.clear()
    await node.ensure(None)
    assert read == [], "nothing is loaded, so nobody knows what is next, or when"


@docker
async def test_hints_go_on_after_the_engine_hung_up(box: Box, tmp_path: Path) -> None:
    made = box.make()
    with proxied(tmp_path / "docker.sock", box.containers.engine.socket) as proxy:
        hints = Hints(DockerEngine(proxy.url), [box.name])
        made.start()
        assert await hints.wait(10)
        proxy.hang_up()
        made.kill()
        assert any([await hints.wait(0.1) for _ in range(20)])
        await hints.aclose()


@docker
async def test_hints_end_though_the_engine_does_not_answer(box: Box, tmp_path: Path) -> None:
    with proxied(tmp_path / "docker.sock", box.containers.engine.socket) as proxy:
        proxy.held = "/events"
        hints = Hints(DockerEngine(proxy.url), [box.name])
        assert not await hints.wait(0.1)
        await asyncio.wait_for(hints.aclose(), 10)


async def test_a_server_that_others_run_is_proven_and_left_as_it_is(tmp_path: Path) -> None:
    async def no_gpu() -> bool:
        return False

    async with serving(Manner()) as server:
        host = RemoteHost(Stage.RATE, OllamaServer(server.url, "llama3", no_gpu), server.url, Alarms().on)
        await host.start(FIRST)
        assert (host.alive, host.report().state) == (True, "ready")
        await host.stop()
        assert not host.alive
        await host.start(FIRST)
        await host.stop()
    with pytest.raises(EngineError):
        await host.start(FIRST)
    assert host.report().state == "unreachable"


async def test_a_server_is_asked_once_for_each_version_whether_it_refuses_what_does_not_fit() -> None:
    async def no_gpu() -> bool:
        return False

    async with serving(Manner()) as server:
        ollama = OllamaServer(server.url, "llama3", no_gpu)
        asked = []
        for generation in ("0.32", "0.32", "0.25"):
            server.manner.generation = generation
            before = len(server.requests)
            await ollama.load(FIRST)
            asked.append(len(server.requests) - before)
        assert asked == [2, 1, 2]
        server.manner.generation = "0.32"
        server.faults.add("shift", -1)
        with pytest.raises(EngineError, match="update Ollama"):
            await ollama.load(FIRST)


async def test_a_load_that_its_limit_ended_has_twice_as_long_the_next_time() -> None:
    async def no_gpu() -> bool:
        return False

    async with serving(Manner(gpu_share=0.0)) as server:
        ollama = OllamaServer(server.url, "llama3", no_gpu, AnswerLimits(load_s=0.5))
        server.manner.load_s = 0.7
        with pytest.raises(EngineError, match=r"0\.5 s"):
            await ollama.load(FIRST)
        server.memory.drop()
        assert (await ollama.load(FIRST)).identity.device == "cpu"


async def test_weights_are_read_ahead_where_they_can_be_found(tmp_path: Path) -> None:
    models = tmp_path / "models"
    manifest = models / "manifests" / "registry.ollama.ai" / "library" / "mistral" / "latest"
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:abc"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    (models / "blobs").mkdir()
    (models / "blobs" / "sha256-abc").write_bytes(b"w" * 100_000)
    assert await read_ahead({HOME: str(tmp_path)}, "mistral") == 100_000
    assert await read_ahead({HOME: str(tmp_path)}, "llama3") == 0
    assert await read_ahead({}, "mistral") == 0


async def test_a_record_that_is_damaged_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "containers.json"
    file.write_text("[{")
    with pytest.raises(EngineError, match="remove it, then check your containers"):
        TakeoverRecord(file).names()


def test_only_a_policy_that_starts_something_acts() -> None:
    assert [RestartPolicy(name).acts for name in ("", "no", "always", "unless-stopped", "on-failure")] == [
        False,
        False,
        True,
        True,
        True,
    ]


async def test_a_model_on_the_processor_of_a_machine_with_a_gpu_is_an_alarm_until_a_start_goes_well() -> None:
    async def gpu() -> bool:
        return True

    alarms = Alarms()
    async with serving(Manner(gpu_share=0.4)) as server:
        ollama = OllamaServer(server.url, "llama3", gpu, settle_s=0.01)
        host = RemoteHost(Stage.RATE, ollama, server.url, alarms.on)
        await host.start(FIRST)
        await host.stop()
        told = alarms.lasting["degraded_rate"]
        assert "every task that waits for rate: it goes on, slower" in told
        assert "see: nvidia-smi" in told
        server.manner.gpu_share = 1.0
        server.memory.drop()
        await host.start(FIRST)
        await host.stop()
    assert alarms.lasting == {}
