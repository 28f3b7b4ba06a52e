"""Checks of the machine: its clock, the media decoder's cage, systemd, and whether a daemon runs."""

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import daemon
from daemon import __version__
from daemon.core.errors import two_parts
from daemon.doctor.facts import Facts, me, said
from daemon.doctor.finding import Finding, Said, fail, ok, warn
from daemon.rehearsal.lab import REHEARSALS, model_names
from daemon.stt.cage import lacking

UNIT = "introeval.service"
_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_DAY_S = 86_400.0


def clock(ask: Said = said, now: float | None = None) -> list[Finding]:
    """Whether the clock can be right: the order of videos and the deadline depend on it."""
    now = time.time() if now is None else now
    text = time.strftime("%Y-%m-%d %H:%M:%S %Z (UTC%z)", time.localtime(now))
    if now < Path(daemon.__file__).stat().st_mtime - _DAY_S:
        fix = "run: timedatectl set-ntp true"
        return [fail("clock", f"it is {text}, before this program was installed", fix)]
    synchronised = ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if synchronised == "no":
        return [warn("clock", f"{text}, not set by a time server", "run: timedatectl set-ntp true")]
    return [ok("clock", text + (", set by a time server" if synchronised == "yes" else ""))]


def cage(lacking: Callable[[], list[str]] = lacking) -> list[Finding]:
    """Whether this machine has what confines the media decoder."""
    if lacks := lacking():
        fix = "boot a kernel with Landlock among its security modules, install libseccomp2"
        return [warn("decoder's cage", f"the media decoder runs without {' and '.join(lacks)}", fix)]
    return [ok("decoder's cage", "Landlock and seccomp confine the media decoder")]


def service(ask: Said = said, booted: Path = _SYSTEMD) -> list[Finding]:
    """The state of the service, where systemd runs."""
    if not booted.is_dir():
        return [ok("service", "systemd does not run here; start the daemon with: introeval run")]
    answer = ask(["systemctl", "show", UNIT, "--property=LoadState,ActiveState,UnitFileState,NRestarts,User"])
    if answer is None:
        return [warn("service", "systemd does not answer", f"see: systemctl status {UNIT}")]
    state = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    active, enabled = state.get("ActiveState", "?"), state.get("UnitFileState", "")
    if state.get("LoadState") != "loaded":
        return [ok("service", f"there is no {UNIT}; to install it, run: make install")]
    user = state.get("User") or "root"
    text = f"{UNIT} is {active}, {enabled or 'not enabled'}, restarted {state.get('NRestarts', '0')} times"
    if active == "failed":
        return [fail("service", text, f"see: journalctl -u {UNIT}")]
    if user != me():
        fix = f"to check with the service's rights, run: sudo -u {user} introeval doctor"
        return [warn("service", f"{text}; it runs as {user}, but these checks ran as {me()}", fix)]
    return [ok("service", text)]


def rehearsal(facts: Facts) -> list[Finding]:
    """What the last rehearsal came to, and whether it was of the models in use."""
    last = facts.rehearsal
    if last is None:
        return [ok("rehearsal", "none yet; to see whether a class fits, run: introeval rehearse 5")]
    if isinstance(last, str):
        return [warn("rehearsal", *two_parts(last))]
    day = datetime.fromisoformat(last.made_at).astimezone()
    text = f"rehearsed {last.students} in {last.makespan_s / 60:.1f} min on {day:%-d %b}"
    again = f"run: introeval rehearse {last.students}"
    if last.models != model_names(facts.config):
        return [warn("rehearsal", f"{text}, with other models than the configured ones", again)]
    if not last.kept:
        told = f"{text}; the plan's {last.promise_s / 60:.1f} min were not kept"
        return [warn("rehearsal", told, f"see: {facts.config.paths.state / REHEARSALS}")]
    return [ok("rehearsal", text)]


def socket(facts: Facts) -> list[Finding]:
    """Whether a daemon answers, and has this version."""
    path, status = facts.config.paths.socket, facts.daemon
    if not isinstance(status, str):
        text = f"the daemon (process {status.pid}) answers on {path}"
        if status.version != __version__:
            text += f", but it has version {status.version} and this is {__version__}"
            return [warn("socket", text, "restart the daemon")]
        return [ok("socket", f"{text}; {len(status.alarms)} alarms")]
    try:
        there = path.exists()
    except PermissionError:  # in a folder that is closed to this user
        there = True
    if not there:
        return [ok("socket", "no daemon runs; start one with: introeval run")]
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        return [warn("socket", f"{me()} may not use {path}", "ask to be added to the daemon's group")]
    return [warn("socket", f"no daemon answers on {path}", "run: introeval run")]
