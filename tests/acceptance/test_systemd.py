"""The service on a machine that systemd has booted: installed, fed, killed, hung, reloaded, removed."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.engine import Containers, Engine, absent
from tests.docker.systemd import Machine, booted, unfit
from tests.support.checkout import REPOSITORY, model_folder
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

PREFIX = "/opt/introeval"
COMMAND = f"{PREFIX}/bin/introeval"
CHECKOUT = "/checkout"
SILENT = "tests/media/no_audio.mp4"  # fails when it is claimed, so that no engine is needed for its result
UNIT = "introeval.service"
INBOX, OUTBOX = "/srv/introeval/inbox", "/srv/introeval/outbox"
WATCHDOG_S = 4
RESULT_S = 150.0
LACKING = "from daemon.stt import cage; print(cage.lacking())"
CONFIGURATION = """
runtime = "embedded"
[stt]
model = "tiny.en"
[intake]
settle_s = 0.5
[outbox]
group = "introeval-readers"
[api]
operators = "introeval-operators"
[run]
stop_grace_s = 1
"""


def system_python() -> str | None:
    """An interpreter below /usr that is new enough and can make environments."""
    check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    for path in ["/usr/bin/python3", *(f"/usr/bin/python3.{minor}" for minor in (11, 12, 13, 14))]:
        if os.path.exists(path) and not subprocess.run([path, "-c", check], capture_output=True).returncode:
            return path
    return None


@pytest.fixture(scope="module")
def machine(engine: Engine) -> Iterator[Machine]:
    """A booted machine on which `make install` was run twice: staged, which has the network, and in place."""
    python = system_python()
    missing = unfit() or (None if python else "no Python 3.11 or newer with venv is in /usr/bin")
    if missing is not None or python is None:
        absent(f"systemd cannot be booted for the test: {missing}")
    stage = Path(tempfile.mkdtemp(prefix="introeval-stage-"))
    containers = Containers(engine)
    try:
        stage.chmod(0o755)
        make("install", f"DESTDIR={stage}", f"PREFIX={PREFIX}", f"PYTHON={python}")
        mounts = {
            REPOSITORY: f"{CHECKOUT}:ro",
            model_folder("smollm2").parent: "/models:ro",
            stage / PREFIX[1:]: f"{PREFIX}:rw",
        }
        with booted(containers, mounts) as machine:
            machine.run("make", "-C", CHECKOUT, "install", f"PREFIX={PREFIX}", f"PYTHON={python}")
            machine.run("ln", "-s", "/models", "/var/lib/introeval/models")
            machine.write("/etc/introeval/introeval.toml", CONFIGURATION)
            machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
            machine.run("systemctl", "daemon-reload")
            students = "u ada", "m ada introeval-students", "u mia", "m mia introeval-students"
            people = *students, "u rob", "m rob introeval-readers"
            more = "u olga", "m olga introeval", "m olga introeval-operators"
            machine.run("systemd-sysusers", "--inline", *people, *more)
            yield machine
    finally:
        containers.remove()
        shutil.rmtree(stage)


@pytest.fixture
def service(machine: Machine) -> Machine:
    """The machine with the service running."""
    machine.attempt("systemctl", "reset-failed", UNIT)  # so that no test pays for the restarts of another
    machine.run("systemctl", "start", UNIT)
    assert machine.run("systemctl", "is-active", UNIT).strip() == "active"
    return machine


def make(*arguments: str) -> None:
    done = subprocess.run(["make", *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def hand_in(machine: Machine, sample: str, name: str) -> None:
    """As a student does: in a folder of her own, with a umask that lets nobody else look."""
    student, _, rest = name.partition("_")
    target = f"{INBOX}/{student}/{rest}"
    machine.run(
        "sh",
        "-c",
        f"umask 077; mkdir -p {INBOX}/{student}; cp {CHECKOUT}/{sample} {target}.part;"
        f" mv {target}.part {target}",
        user="ada",
    )


def result_of(machine: Machine, student: str) -> dict[str, Any] | None:
    """The one result of a student, as a reader of the outbox sees it."""
    listed = machine.attempt("sh", "-c", f"cat {OUTBOX}/{student}/*.result.json", user="rob")
    if listed.returncode:
        return None
    result: dict[str, Any] = json.loads(listed.stdout)  # two results would be no JSON
    return result


def working(machine: Machine) -> bool:
    """Whether an engine lives."""
    return any("daemon.stt.worker" in line or "daemon.llm.server" in line for line in processes(machine))


def fed_at(machine: Machine) -> float:
    """When the daemon last fed the watchdog, in seconds."""
    return int(machine.shows(UNIT, "WatchdogTimestampMonotonic")) / 1e6


def processes(machine: Machine) -> list[str]:
    return machine.processes("introeval")


def test_the_unit_verifies_in_silence_and_is_little_exposed(machine: Machine) -> None:
    done = machine.attempt("systemd-analyze", "verify", UNIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    judged = machine.run("systemd-analyze", "security", UNIT, "--no-pager").splitlines()[-1]
    exposure = float(judged.partition(":")[2].split()[0])
    assert exposure <= 3.0, judged


def test_a_students_video_becomes_a_result_that_readers_can_read(service: Machine) -> None:
    hand_in(service, "samples/s001_introduction.mp4", "s001_introduction.mp4")
    wait_until(lambda: result_of(service, "s001"), "a result", RESULT_S)
    result = result_of(service, "s001")
    assert result is not None
    assert result["outcome"] in ("evaluated", "needs_review")
    assert result["transcript"]["text"]
    denied = service.attempt("sh", "-c", f"cat {OUTBOX}/s001/*.result.json", user="ada")
    assert denied.returncode != 0
    assert service.run("sh", "-c", f"find {INBOX} -type f").split() == [f"{INBOX}/.introeval.place"]


def test_the_units_filter_leaves_the_decoder_its_cage(service: Machine) -> None:
    lacks = service.run(f"{PREFIX}/lib/introeval/bin/python", "-c", LACKING).strip()
    if lacks != "[]":
        pytest.skip(f"this machine lacks {lacks}")
    assert "the media decoder's cage is incomplete" not in service.journal(UNIT)


def test_what_is_kept_of_a_video_is_the_daemons_own(service: Machine) -> None:
    owner = service.run("sh", "-c", "stat -c %U:%a /var/lib/introeval/*/s001/*.mp4").strip()
    assert owner == "introeval:600"


@pytest.mark.parametrize("way", ["s005/me.mp4.part", "s005_me.mp4.part"])
def test_no_student_reads_or_touches_what_another_is_handing_in(machine: Machine, way: str) -> None:
    path = f"{INBOX}/{way}"
    fold = f"mkdir -p {INBOX}/s005; " if "/" in way else ""
    machine.run("sh", "-c", f"umask 022; {fold}echo of ada > {path}", user="ada")
    for attempt in (
        f"cat {path}",
        f"echo of mia > {path}",
        f"mv {path} {path}.hidden",
        f"rm -f {path}",
        f"rm -rf {INBOX}/s005 && test ! -e {INBOX}/s005",
        f"ln {path} {INBOX}/mine.part",
    ):
        assert machine.attempt("sh", "-c", attempt, user="mia").returncode != 0, attempt
    assert machine.run("cat", path, user="ada") == "of ada\n"
    assert machine.run("cat", path, user="introeval") == "of ada\n"
    machine.run("rm", path, user="introeval")


def test_a_file_that_a_student_still_writes_to_is_left_alone(service: Machine) -> None:
    hold = f"exec 3> {INBOX}/s003_slow.mp4; cat {CHECKOUT}/{SILENT} >&3; echo open; exec sleep 120"
    service.run("systemd-run", "--uid=ada", "--unit=upload", "sh", "-c", hold)
    wait_until(lambda: "open" in service.journal("upload.service"), what="the upload")
    hand_in(service, SILENT, "s004_later.mp4")
    wait_until(lambda: result_of(service, "s004"), what="the result of a file that came later")
    service.run("test", "-e", f"{INBOX}/s003_slow.mp4")
    service.run("systemctl", "stop", "upload.service")
    wait_until(lambda: result_of(service, "s003"), what="a result")


def test_who_may_look_and_who_may_steer(service: Machine) -> None:
    assert json.loads(service.run(COMMAND, "status", "--json", user="olga"))["running"] is True
    service.run(COMMAND, "pause", user="olga")
    service.run(COMMAND, "resume", user="olga")
    denied = service.attempt(COMMAND, "status", user="ada")
    assert denied.returncode == 11
    assert len(denied.stderr.splitlines()) == 1


def test_a_killed_daemon_comes_again_and_ends_with_the_same_result(service: Machine) -> None:
    before = int(service.shows(UNIT, "NRestarts"))
    hand_in(service, "samples/s001_introduction.mp4", "s101_introduction.mp4")
    wait_until(lambda: working(service), "work", 60)
    service.run("kill", "-KILL", service.shows(UNIT, "MainPID"))
    wait_until(lambda: int(service.shows(UNIT, "NRestarts")) == before + 1, what="the restart")
    wait_until(lambda: result_of(service, "s101"), "a result", RESULT_S)
    again, first = result_of(service, "s101"), result_of(service, "s001")
    assert again is not None
    assert first is not None
    assert again["transcript"]["text"] == first["transcript"]["text"]
    assert service.shows(UNIT, "ActiveState") == "active"


def test_an_idle_daemon_is_left_alone_and_a_hung_one_is_ended(service: Machine) -> None:
    before, idle = int(service.shows(UNIT, "NRestarts")), service.shows(UNIT, "MainPID")
    assert not working(service)
    began = fed_at(service)
    wait_until(lambda: fed_at(service) - began > 2 * WATCHDOG_S, what="the watchdog's food")
    assert service.shows(UNIT, "MainPID") == idle
    service.run("kill", "-STOP", idle)
    wait_until(lambda: int(service.shows(UNIT, "NRestarts")) == before + 1, "the watchdog", 60)
    wait_until(lambda: service.shows(UNIT, "ActiveState") == "active", what="the restart")
    assert service.shows(UNIT, "MainPID") != idle
    journal = service.journal(UNIT)
    assert "watchdog" in journal.lower()
    assert "Fatal Python error: Aborted" in journal, "it does not say where it hung"


def test_a_reload_takes_up_a_good_configuration_and_refuses_a_bad_one(service: Machine) -> None:
    pid = service.shows(UNIT, "MainPID")
    service.write("/etc/introeval/introeval.toml", CONFIGURATION + "stop_grace = 1\n")
    refused = service.attempt("systemctl", "reload", UNIT)
    assert refused.returncode != 0
    assert "unknown key run.stop_grace; did you mean run.stop_grace_s?" in service.journal(UNIT)
    assert service.shows(UNIT, "ActiveState") == "active"
    service.write(
        "/etc/introeval/introeval.toml", CONFIGURATION.replace("introeval-operators", "nobody-at-all")
    )
    service.run("systemctl", "reload", UNIT)
    wait_until(
        lambda: service.attempt(COMMAND, "pause", user="olga").returncode == 11, "the new configuration", 30
    )
    service.write("/etc/introeval/introeval.toml", CONFIGURATION)
    service.run("systemctl", "reload", UNIT)
    wait_until(
        lambda: service.attempt(COMMAND, "resume", user="olga").returncode == 0, "the old configuration", 30
    )
    assert service.shows(UNIT, "MainPID") == pid


def test_a_stop_leaves_nothing_behind_and_the_next_start_goes_on(service: Machine) -> None:
    hand_in(service, "samples/s002_about_me.mp4", "s002_about_me.mp4")
    wait_until(lambda: working(service), "work", 60)
    service.run("systemctl", "stop", UNIT)
    assert service.shows(UNIT, "Result") == "success"
    assert processes(service) == []
    assert service.attempt("ls", "/run/introeval").returncode != 0
    service.run("systemctl", "start", UNIT)
    wait_until(lambda: working(service), "work on what was put back", 60)


def test_uninstall_keeps_what_people_made(service: Machine) -> None:
    service.run("make", "-C", CHECKOUT, "uninstall", f"PREFIX={PREFIX}")
    assert processes(service) == []
    assert service.shows(UNIT, "LoadState") == "not-found"
    assert service.run("sh", "-c", f"find {PREFIX} -mindepth 1 -type f") == ""
    for kept in ("/etc/introeval/introeval.toml", "/var/lib/introeval/introeval.db", f"{OUTBOX}/s001"):
        service.run("test", "-e", kept)
    service.run("make", "-C", CHECKOUT, "uninstall", f"PREFIX={PREFIX}")  # again: nothing left to do


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["PREFIX=/home/me"], "a service cannot run from /home/me"),
        (["PREFIX=here"], "PREFIX must be an absolute path"),
        (["PYTHON=/bin/false"], "Python 3.11 or newer"),
    ],
)
def test_install_says_at_once_what_is_missing(arguments: list[str], says: str) -> None:
    done = subprocess.run(["make", "install", *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode != 0
    assert says in done.stderr
