"""`introeval doctor`: the checks on facts of every kind, and the command as a user meets it."""

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon import __version__
from daemon.config.load import Config, load
from daemon.contracts.wire.status import AlarmLine, DaemonStatus, GpuState, Holder
from daemon.core.errors import ConfigError
from daemon.core.schedule.memory import KvCache, known_model
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage
from daemon.doctor import (
    CHECKS,
    Finding,
    Level,
    containers,
    examine,
    examine_without,
    folders,
    gpu,
    installation,
    machine,
    worst,
)
from daemon.doctor.facts import DockerSide, Facts, ServerFacts
from daemon.rehearsal.lab import model_names
from tests.docker.engine import Containers, Engine
from tests.nvml import stub_card
from tests.support.checkout import MODELS
from tests.support.process_lab import ProcessLab
from tests.support.rights import somebody_else
from tests.support.waiting import wait_until
from tests.unit.test_rehearsal import rehearsal

NO_GPU = GpuState(absent="no NVIDIA driver is installed")
RTX_3060_TI = GpuState(name="RTX 3060 Ti", used_mb=300, total_mb=8192, temperature_c=40)


def facts(folder: Path, text: str = "", **changes: Any) -> Facts:
    file = folder / "introeval.toml"
    file.write_text(text)
    known = Facts(load(file, {}), file, {}, ("smollm2",), NO_GPU, "no daemon answers")
    return replace(known, **changes)


def inspected(**changes: Any) -> dict[str, Any]:
    """A container as `introeval setup` makes it."""
    host: dict[str, Any] = {
        "RestartPolicy": {"Name": "no"},
        "NetworkMode": "default",
        "PortBindings": {"11434/tcp": [{"HostIp": "127.0.0.1", "HostPort": "11434"}]},
        "DeviceRequests": [{"Count": -1}],
        **changes.pop("HostConfig", {}),
    }
    return {
        "State": {"Status": "running", "Running": True},
        "HostConfig": host,
        "Config": {"Env": ["OLLAMA_NUM_PARALLEL=4"]},
        **changes,
    }


def docker_side(**changes: Any) -> DockerSide:
    second = inspected(
        HostConfig={"PortBindings": {"11434/tcp": [{"HostIp": "127.0.0.1", "HostPort": "11435"}]}}
    )
    both = {Stage.EXTRACT: inspected(), Stage.RATE: second}
    return replace(DockerSide("29.0", runtimes=frozenset({"nvidia"}), containers=both), **changes)


def docker_facts(folder: Path, text: str = "", **changes: Any) -> Facts:
    given = {"gpu": RTX_3060_TI, "docker": docker_side(), **changes}
    return facts(folder, 'runtime = "docker"\n' + text, **given)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


# The GPU and what is put on it


def test_without_a_gpu_it_says_what_is_used_instead(tmp_path: Path) -> None:
    found = only(gpu.driver(facts(tmp_path)))
    assert found.level is Level.OK
    assert "use the processor" in found.text
    assert only(gpu.driver(docker_facts(tmp_path, gpu=NO_GPU))).level is Level.WARN


def test_a_gpu_that_is_asked_for_and_absent_fails(tmp_path: Path) -> None:
    assert only(gpu.driver(facts(tmp_path, '[stt]\ndevice = "cuda"\n'))).level is Level.FAIL


def test_a_lost_gpu_fails_and_one_without_figures_warns(tmp_path: Path) -> None:
    assert only(gpu.driver(facts(tmp_path, gpu=GpuState(lost=True, name="card")))).level is Level.FAIL
    assert only(gpu.driver(facts(tmp_path, gpu=GpuState(name="card")))).level is Level.WARN


def test_it_names_who_holds_memory_of_the_gpu(tmp_path: Path) -> None:
    holder = Holder(pid=4711, user="anna", name="blender", memory_mb=900)
    found = only(gpu.driver(facts(tmp_path, gpu=RTX_3060_TI.model_copy(update={"holders": [holder]}))))
    assert found.details == ("process 4711 (blender) of anna: 900 MB",)


@pytest.mark.parametrize(
    ("card_mb", "told"),
    [
        (8192, "stt, then extract, then rate;"),
        (24564, "stt, then extract+rate;"),
        (81559, "stt+extract+rate;"),
    ],
)
def test_the_residency_of_each_card_is_shown_with_its_arithmetic(
    tmp_path: Path, card_mb: int, told: str
) -> None:
    found = only(gpu.room(docker_facts(tmp_path, gpu=RTX_3060_TI.model_copy(update={"total_mb": card_mb}))))
    assert found.level is Level.OK
    assert found.text.startswith(told)
    assert "4 extract" in found.text
    assert any("KV 4 x" in line for line in found.details)


def test_a_server_elsewhere_takes_no_memory_here(tmp_path: Path) -> None:
    text = '[stt]\nurl = "http://192.0.2.7:8000"\n'
    for known in (facts(tmp_path, text), docker_facts(tmp_path, text)):
        told = only(gpu.room(known)).details
        assert "stt: a server elsewhere hears" in told
        assert "stt: no memory of this machine" in told


def test_a_container_set_up_for_more_requests_than_fit_is_told(tmp_path: Path) -> None:
    wide = inspected(Config={"Env": ["OLLAMA_NUM_PARALLEL=16"]})
    side = docker_side(containers={Stage.EXTRACT: wide, Stage.RATE: wide})
    found = only(gpu.room(docker_facts(tmp_path, docker=side)))
    assert found.level is Level.WARN
    assert "OLLAMA_NUM_PARALLEL" in found.fix


def test_what_the_server_says_of_its_model_goes_before_what_is_known(tmp_path: Path) -> None:
    huge = replace(known_model("mistral"), weights_mb=20_000)
    side = docker_side(servers={Stage.EXTRACT: ServerFacts("0.32", {}, huge)})
    assert only(gpu.room(docker_facts(tmp_path, docker=side))).level is Level.WARN


def test_the_kv_cache_is_weighed_by_what_the_models_take_and_what_the_card_holds(tmp_path: Path) -> None:
    narrow, wide = (
        inspected(Config={"Env": [f"{name}={value}" for name, value in setup.environment.items()]})
        for setup in (ServerSetup(4), ServerSetup(8, KvCache.Q8_0))
    )

    def weighed(container: Any, text: str = "") -> Finding:
        side = docker_side(containers=dict.fromkeys((Stage.EXTRACT, Stage.RATE), container))
        return only(gpu.cache(docker_facts(tmp_path, text, docker=side)))

    found = weighed(narrow)
    assert found.level is Level.WARN
    assert found.text.startswith("extract takes 4 at a time, 8 would be faster;")
    assert found.text.endswith("with the cache in q8_0")
    assert found.fix.startswith("run: introeval setup")
    assert "q8_0: rate 68 KiB a token: 8 at a time with 4096 tokens each" in found.details
    assert "f16: rate 128 KiB a token: 4 at a time with 4096 tokens each" in found.details
    assert weighed(wide).level is Level.OK
    assert weighed(narrow, '[docker]\nkv_cache = "f16"\n').level is Level.OK


# The engine and its containers


def test_containers_made_by_setup_are_well(tmp_path: Path) -> None:
    known = docker_facts(tmp_path)
    found = [*containers.engine(known), *containers.containers(known), *containers.models(known)]
    assert {finding.level for finding in found} == {Level.OK}
    assert any("not checked, the container is stopped" in finding.text for finding in found)


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({"State": {"Status": "restarting", "Running": True}}, Level.FAIL, "crashes repeatedly"),
        ({"State": {"Status": "paused", "Running": True}}, Level.WARN, "paused"),
        ({"HostConfig": {"RestartPolicy": {"Name": "always"}}}, Level.WARN, "restart policy (always)"),
        ({"HostConfig": {"PortBindings": {}}}, Level.FAIL, "does not publish port 11434"),
        (
            {"HostConfig": {"PortBindings": {"11434/tcp": [{"HostIp": "", "HostPort": "11434"}]}}},
            Level.WARN,
            "open to the network",
        ),
        ({"HostConfig": {"DeviceRequests": None}}, Level.WARN, "without the GPU"),
        ({"Config": {"Env": []}}, Level.WARN, "parallel requests: 1, but 4 are configured"),
    ],
)
def test_a_container_that_is_not_as_it_must_be_is_told(
    tmp_path: Path, changes: dict[str, Any], level: Level, said: str
) -> None:
    side = docker_side(containers={Stage.EXTRACT: inspected(**changes), Stage.RATE: inspected()})
    found = containers.containers(docker_facts(tmp_path, "[extract]\nparallel = 4\n", docker=side))[0]
    assert (found.level, said in found.text, bool(found.fix)) == (level, True, True), found


def test_a_missing_container_names_setup(tmp_path: Path) -> None:
    side = docker_side(containers={Stage.EXTRACT: None, Stage.RATE: None})
    for finding in containers.containers(docker_facts(tmp_path, docker=side)):
        assert (finding.level, finding.fix) == (Level.FAIL, "run: introeval setup")


def test_models_are_told_with_their_digests_and_missing_ones_fail(tmp_path: Path) -> None:
    side = docker_side(
        servers={
            Stage.EXTRACT: ServerFacts("0.32", {"mistral:latest": "sha256:0123456789abcdef"}),
            Stage.RATE: ServerFacts("0.32", {"other:latest": "sha256:0"}),
        }
    )
    first, second = containers.models(docker_facts(tmp_path, docker=side))
    assert (first.level, "sha256:0123456789ab" in first.text) == (Level.OK, True)
    assert (second.level, second.fix) == (Level.FAIL, "run: introeval setup")


def test_a_server_that_the_daemon_does_not_start_must_answer(tmp_path: Path) -> None:
    away = "no server answers at http://127.0.0.1:11434"
    side = docker_side(servers={Stage.EXTRACT: away, Stage.RATE: away})
    theirs, ours = containers.models(docker_facts(tmp_path, '[extract]\ncontainer = ""\n', docker=side))
    assert (theirs.level, away in theirs.text) == (Level.FAIL, True)
    assert theirs.fix == "start the server, or correct its url or api_key_file"
    assert (ours.level, ours.fix) == (Level.WARN, "see: docker logs llama3-container")


def test_an_engine_without_the_gpus_runtime_is_told(tmp_path: Path) -> None:
    found = only(containers.engine(docker_facts(tmp_path, docker=docker_side(runtimes=frozenset({"runc"})))))
    assert (found.level, "nvidia-container-toolkit" in found.fix) == (Level.WARN, True)


# The folders


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody can come to; those of pytest are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="introeval-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_folders_that_are_not_there_yet_will_be_made(tmp_path: Path) -> None:
    assert {f.level for f in folders.folders(facts(tmp_path))} == {Level.OK}
    assert "will be created" in folders.folders(facts(tmp_path))[0].text


def test_a_folder_that_may_not_be_written_fails(open_folder: Path) -> None:
    known = facts(open_folder)
    known.config.paths.inbox.mkdir()
    known.config.paths.inbox.chmod(0o555)
    with somebody_else():
        assert folders.folders(known)[0].level is Level.FAIL
        assert folders.intake(known)[0].level is Level.FAIL


def test_a_sticky_folder_of_a_student_out_of_which_nothing_can_be_moved_is_named(open_folder: Path) -> None:
    known = facts(open_folder)
    mine = known.config.paths.inbox / "s001"
    mine.mkdir(parents=True)
    known.config.paths.inbox.chmod(0o777)
    mine.chmod(0o1777)
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder of somebody else's")
    assert folders.intake(known)[0].level is Level.OK
    with somebody_else():
        found = folders.intake(known)[0]
    assert (found.level, str(mine) in found.text) == (Level.FAIL, True)


def test_a_file_where_a_folder_must_be_fails(tmp_path: Path) -> None:
    known = facts(tmp_path)
    known.config.paths.inbox.write_text("")
    assert folders.folders(known)[0].level is Level.FAIL


def test_the_type_of_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    lines = ["1 0 8:1 / / rw - ext4 /dev/sda rw", f"2 1 0:9 / {tmp_path}/far rw - cifs //nas/class rw"]
    table.write_text("\n".join(lines) + "\n")
    assert folders.file_system(tmp_path / "far" / "inbox", table) == "cifs"
    assert folders.file_system(tmp_path / "farther", table) == "ext4"
    assert folders.file_system(tmp_path, tmp_path / "none") == "?"


def test_an_outbox_group_that_does_not_exist_fails(tmp_path: Path) -> None:
    found = only(folders.outbox_group(facts(tmp_path, '[outbox]\ngroup = "no-such-group"\n')))
    assert (found.level, found.fix) == (Level.FAIL, "run: groupadd no-such-group")
    assert folders.outbox_group(facts(tmp_path)) == []


def test_a_full_disk_fails_and_one_that_fills_warns(tmp_path: Path) -> None:
    free_mb = shutil.disk_usage(tmp_path).free / 1e6
    for least, level in ((1, Level.OK), (int(free_mb / 1.5), Level.WARN), (int(free_mb * 2), Level.FAIL)):
        found = folders.disk(facts(tmp_path, f"[intake]\nmin_free_mb = {least}\n"))
        assert {finding.level for finding in found} == {level}


def test_polling_that_is_configured_is_told(tmp_path: Path) -> None:
    assert "polled" in only(folders.watching(facts(tmp_path, "[intake]\npoll = true\n"))).text
    assert "watched" in only(folders.watching(facts(tmp_path))).text


# The program and the machine


def test_a_package_that_is_missing_is_named() -> None:
    found = only(installation.packages(["pydantic>=2", "no-such-package>=1", 'pytest; extra == "dev"']))
    assert (found.level, found.fix) == (Level.FAIL, "run: pip install no-such-package")
    assert only(installation.packages()).level is Level.OK


def test_missing_weights_name_the_command_that_brings_them(tmp_path: Path) -> None:
    found = only(installation.weights(facts(tmp_path)))
    assert (found.level, found.fix) == (Level.FAIL, "run: introeval models pull smollm2")


def test_the_environments_changes_of_the_configuration_are_named(tmp_path: Path) -> None:
    environ = {"INTROEVAL_BATCH__SIZE": "5", "INTROEVAL_CONFIG": "x", "HOME": "/"}
    found = only(installation.configuration(facts(tmp_path, environ=environ)))
    assert "sets INTROEVAL_BATCH__SIZE;" in found.text


@pytest.mark.parametrize(
    ("answer", "now", "level"),
    [("yes", None, Level.OK), ("no", None, Level.WARN), (None, None, Level.OK), ("yes", 1e9, Level.FAIL)],
)
def test_the_clock_must_be_right(answer: str | None, now: float | None, level: Level) -> None:
    assert only(machine.clock(lambda _: answer, now)).level is level


def test_what_the_decoders_cage_lacks_is_one_finding() -> None:
    assert only(machine.cage(list)).level is Level.OK
    found = only(machine.cage(lambda: ["Landlock (Function not implemented)", "seccomp (no library)"]))
    assert found.level is Level.WARN
    assert "without Landlock (Function not implemented) and seccomp (no library)" in found.text


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=0\nUser={me}", Level.OK),
        ("LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\nNRestarts=9\nUser={me}", Level.FAIL),
        ("LoadState=loaded\nActiveState=active\nUser=somebody-else", Level.WARN),
        ("LoadState=not-found\nActiveState=inactive", Level.OK),
        (None, Level.WARN),
    ],
)
def test_the_service_is_told_as_systemd_sees_it(tmp_path: Path, answer: str | None, level: Level) -> None:
    from daemon.doctor.facts import me

    said = None if answer is None else answer.format(me=me())
    assert only(machine.service(lambda _: said, tmp_path)).level is level
    assert only(machine.service(lambda _: said, tmp_path / "none")).level is Level.OK


def test_a_daemon_of_another_version_is_told(tmp_path: Path) -> None:
    running = DaemonStatus(
        version=__version__,
        pid=1,
        running=True,
        runtime="embedded",
        phase="stt",
        group=[],
        phase_since=None,
        why="",
        counts={},
        undelivered=0,
        alarms=[AlarmLine(code="a", message="b", since="")],
    )
    assert only(machine.socket(facts(tmp_path, daemon=running))).level is Level.OK
    older = running.model_copy(update={"version": "0.0.1"})
    assert only(machine.socket(facts(tmp_path, daemon=older))).level is Level.WARN


def test_a_socket_without_a_daemon_is_told(tmp_path: Path) -> None:
    known = facts(tmp_path)
    assert only(machine.socket(known)).level is Level.OK
    known.config.paths.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(known.config.paths.socket))
    assert only(machine.socket(known)).level is Level.WARN


# All of it


def test_the_last_rehearsal_is_quoted(tmp_path: Path) -> None:
    known = facts(tmp_path)
    models = model_names(known.config)
    (none,) = machine.rehearsal(known)
    assert (none.level, "introeval rehearse 5" in none.text) == (Level.OK, True)
    whole = rehearsal(students=30, makespan_s=384.0, models=models, results=(1.0,) * 30)
    (kept,) = machine.rehearsal(replace(known, rehearsal=whole))
    assert (kept.level, kept.text) == (Level.OK, "rehearsed 30 in 6.4 min on 24 Nov")
    slow = whole.model_copy(update={"makespan_s": 1000.0})
    for other in (slow, whole.model_copy(update={"models": {}}), "the report x is damaged; remove it"):
        (found,) = machine.rehearsal(replace(known, rehearsal=other))
        assert found.level is Level.WARN
        assert found.fix


def test_the_worst_finding_counts() -> None:
    assert worst([]) is Level.OK
    assert worst([Level.OK, Level.FAIL, Level.WARN]) is Level.FAIL


def test_every_finding_is_one_line_and_what_is_wrong_has_a_mend(tmp_path: Path) -> None:
    known = docker_facts(tmp_path, gpu=NO_GPU, docker=DockerSide(problem="no engine at x", fix="see: y"))
    for finding in [finding for check in CHECKS for finding in check(known)]:
        assert "\n" not in finding.text + finding.fix
        assert bool(finding.fix) == (finding.level is not Level.OK), finding


def test_what_may_not_be_read_is_told_and_the_service_is_still_looked_at(open_folder: Path) -> None:
    known = facts(open_folder)
    state = known.config.paths.state
    state.mkdir()

    async def look() -> list[Finding]:
        return await examine(known.config, known.file, {}, known.assets)

    before = asyncio.run(look())  # imports all that the checks need, as root may
    state.chmod(0)
    with somebody_else():
        after = asyncio.run(look())
    found = {finding.check: finding for finding in after}
    assert [f.check for f in before if f.check not in found] == ["weights smollm2"]
    assert f"may not look at {state}" in found["weights"].text
    assert "cannot be read" in found["rehearsal"].text
    assert f"may not use {known.config.paths.socket}" in found["socket"].text
    assert found["service"].text
    for finding in after:
        assert bool(finding.fix) == (finding.level is not Level.OK), finding


def test_a_configuration_that_cannot_be_used_is_told_and_the_machine_is_looked_at(tmp_path: Path) -> None:
    found = examine_without(ConfigError("unknown key a\nunknown key b"))
    assert [f.text for f in found if f.level is Level.FAIL][:2] == ["unknown key a", "unknown key b"]
    assert any(f.check == "packages" for f in found)


def test_the_command_ends_with_0_on_an_embedded_lab_that_is_well(tmp_path: Path) -> None:
    if not MODELS.is_dir():
        pytest.skip("the models are not here")
    done = ProcessLab(tmp_path).run("doctor", timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.splitlines()[-1].endswith("0 to fix")
    assert "use the processor" in done.stdout or "MB in use" in done.stdout


def test_the_command_ends_with_1_and_json_on_a_broken_configuration(tmp_path: Path) -> None:
    lab = ProcessLab(tmp_path)
    (tmp_path / "introeval.toml").write_text("[batch]\nsiz = 3\n")
    done = lab.run("doctor", "--json", timeout=60)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["level"]) == (1, "fail")
    assert "did you mean batch.size?" in answer["findings"][0]["text"]


def test_the_command_ends_with_1_where_no_docker_engine_answers(tmp_path: Path) -> None:
    began = time.monotonic()
    text = 'runtime = "docker"\n[docker]\nbase_url = "unix:///nonexistent/docker.sock"\n'
    lab = ProcessLab(tmp_path)
    (tmp_path / "introeval.toml").write_text(text)
    done = lab.run("doctor", "--json", timeout=60)
    found = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert (found["docker"]["level"], found["docker"]["fix"]) == ("fail", "see: systemctl status docker")
    assert found["residency"]["details"]
    assert time.monotonic() - began < 45


def test_the_command_reads_the_card_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = stub_card(tmp_path)
    card.show(8192, 300)
    for name, value in card.environ.items():
        monkeypatch.setenv(name, value)
    lab = ProcessLab(tmp_path / "lab")
    text = 'runtime = "docker"\n[docker]\nbase_url = "unix:///nonexistent/docker.sock"\n'
    (lab.folder / "introeval.toml").write_text(text)
    found = {f["check"]: f for f in json.loads(lab.run("doctor", "--json", timeout=60).stdout)["findings"]}
    assert found["gpu"]["text"] == "NVIDIA GeForce RTX 3060 Ti: 300 of 8192 MB in use, 61 °C"
    assert found["residency"]["text"].startswith("stt, then extract, then rate;")


@pytest.mark.docker
def test_an_engine_that_refuses_permission_names_the_group(engine: Engine, open_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    file = open_folder / "introeval.toml"
    file.write_text(f'runtime = "docker"\n[docker]\nbase_url = "{engine.url}"\n')
    settings = load(file, {})
    asyncio.run(examine(settings, file, {}, []))  # imports what only root may read
    with somebody_else():
        found = {f.check: f for f in asyncio.run(examine(settings, file, {}, []))}
    assert (found["docker"].level, found["docker"].fix) == (
        Level.FAIL,
        "run: usermod -aG docker nobody, and log in again",
    )


@pytest.mark.docker
def test_real_containers_are_looked_at(engine: Engine, containers: Containers, tmp_path: Path) -> None:
    port = free_port()
    running = containers.create(
        "mistral",
        [sys.executable, "-m", "tests.ollama_server", "--host", "0.0.0.0", "--port", "11434"],
        ports={11434: port},
        environment={"OLLAMA_NUM_PARALLEL": "2"},
    )
    containers.create("llama3", [sys.executable, "-c", ""], restart_policy={"Name": "always"})
    running.start()
    text = f"""runtime = "docker"
[docker]
base_url = "{engine.url}"
[extract]
container = "{containers.name("mistral")}"
url = "http://127.0.0.1:{port}"
[rate]
container = "{containers.name("llama3")}"
"""
    file = tmp_path / "introeval.toml"
    file.write_text(text)
    config: Config = load(file, {})

    def look() -> dict[str, Finding]:
        return {f.check: f for f in asyncio.run(examine(config, file, {}, []))}

    wait_until(lambda: look()["model extract"].level is Level.OK, "an answer of the server", 30)
    found = look()
    assert found["docker"].level is Level.OK
    assert "running, parallel requests: 2" in found["container extract"].text
    assert "sha256:" in found["model extract"].text
    assert found["container rate"].level is Level.FAIL  # publishes no port
    assert "not checked" in found["model rate"].text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
