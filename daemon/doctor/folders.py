"""Checks of the folders: rights, file systems and free space. Nothing is written."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from daemon.config.load import Config
from daemon.contracts.wire.words import PlaceState
from daemon.delivery.outbox import group_of
from daemon.doctor.facts import Facts, me
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.intake.alarm import reason_of, shown
from daemon.system.mounts import MOUNTINFO, is_remote

_MOST_LOOKED_AT = 2000  # students' folders: each is a `stat`, which is slow on a network share
_NAMED = 3
_LIMITS = Path("/proc/sys/fs/inotify")
_FEW_WATCHES, _FEW_INSTANCES = 8192, 128  # the defaults of older kernels; each student's folder takes a watch


def folders(facts: Facts) -> list[Finding]:
    """Whether inbox, outbox, state and the socket's folder exist or can be made, and can be written."""
    paths = facts.config.paths
    named = {
        "inbox": paths.inbox,
        "outbox": paths.outbox,
        "state": paths.state,
        "socket": paths.socket.parent,
    }
    return [_folder(f"folder {name}", path) for name, path in named.items()]


def places(facts: Facts) -> list[Finding]:
    """Whether inbox and outbox are the known folders: a share may not be mounted."""
    findings = []
    for place in facts.places:
        check = f"place {place.name}"
        if place.state in (PlaceState.KNOWN, PlaceState.UNSEEN):
            findings.append(ok(check, place.detail or f"{place.path} is the folder that was known"))
            continue
        text, _, fix = place.detail.rpartition("; ")
        text, fix = text or f"{place.path} cannot be used", fix or "make the folder or mount it again"
        findings.append(fail(check, f"{place.state}: {text}", fix))
    return findings


def intake(facts: Facts) -> list[Finding]:
    """Whether the daemon can move students' files out of the inbox, and whether claiming copies them."""
    inbox, state = facts.config.paths.inbox, facts.config.paths.state
    if not inbox.is_dir():
        return []
    try:
        stuck = [shown(folder) for folder in _not_ours_to_move(inbox)]
    except OSError as exc:
        return [
            fail("rights inbox", f"{inbox} cannot be read: {reason_of(exc)}", f"run: chmod g+rwx {inbox}")
        ]
    findings = []
    if stuck:
        text = f"students' files cannot be moved out of {', '.join(stuck[:_NAMED])}"
        more = f" and {len(stuck) - _NAMED} more folders" if len(stuck) > _NAMED else ""
        fix = "let the daemon's user or group write there, without a sticky bit; run: chmod g+wx,-t"
        findings.append(fail("rights inbox", text + more, fix))
    else:
        findings.append(ok("rights inbox", f"{me()} can move students' files"))
    if state.is_dir() and inbox.stat().st_dev != state.stat().st_dev:
        findings.append(ok("claim", "inbox and state lie on two file systems: each video is copied"))
    elif state.is_dir():
        findings.append(ok("claim", "inbox and state lie on one file system: each video is renamed"))
    return findings


def watching(facts: Facts) -> list[Finding]:
    """How the inbox is watched, and whether the system allows enough inotify watches for it."""
    config = facts.config
    inbox = config.paths.inbox
    if config.intake.poll is True or (config.intake.poll == "auto" and is_remote(inbox)):
        why = (
            "as configured" if config.intake.poll is True else "it is a network share, which sends no events"
        )
        return [ok("watching", f"the inbox is polled: {why}")]
    if is_remote(inbox):
        fix = 'set intake.poll = "auto"'
        return [warn("watching", "the inbox is a network share, and polling is switched off", fix)]
    try:
        watches = int((_LIMITS / "max_user_watches").read_text())
        instances = int((_LIMITS / "max_user_instances").read_text())
    except (OSError, ValueError):
        return [ok("watching", "the inbox is watched; the system does not say how many watches it allows")]
    text = f"the inbox is watched; a user may have {watches} watches and {instances} watchers"
    if watches < _FEW_WATCHES or instances < _FEW_INSTANCES:
        fix = "run: sysctl fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=512"
        return [warn("watching", text, fix)]
    return [ok("watching", text)]


def outbox_group(facts: Facts) -> list[Finding]:
    """Whether the daemon can give results to the configured group."""
    name = facts.config.outbox.group
    if not name:
        return []
    try:
        group = group_of(name)
    except KeyError:
        return [fail("outbox group", f"there is no group {name}", f"run: groupadd {name}")]
    if os.geteuid() != 0 and group.gr_gid not in {os.getegid(), *os.getgroups()}:
        fix = f"run: usermod -aG {group.gr_name} {me()}"
        return [fail("outbox group", f"{me()} is not in {group.gr_name} and cannot give files to it", fix)]
    return [ok("outbox group", f"results are given to {group.gr_name}")]


def disk(facts: Facts) -> list[Finding]:
    """Free space for videos and results; below `intake.min_free_mb` nothing is claimed."""
    config = facts.config
    findings = []
    for name, path in (("state", config.paths.state), ("outbox", config.paths.outbox)):
        here = _nearest(path)
        try:
            free_mb = shutil.disk_usage(here).free / 1e6
        except OSError as exc:
            findings.append(fail(f"disk {name}", f"{here}: {reason_of(exc)}", "check that it is mounted"))
            continue
        findings.append(_room(f"disk {name}", here, free_mb, config))
    return findings


def file_system(path: Path, mountinfo: Path = MOUNTINFO) -> str:
    """The type of the file system that holds `path`, from the mount table; `?` when unknown."""
    here = os.path.realpath(path)
    kind, longest = "?", -1
    try:
        lines = mountinfo.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return kind
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].replace("\\040", " ")
        # Of two mounts at one point the later covers the earlier.
        if len(point) >= longest and (here == point or here.startswith(point.rstrip("/") + "/")):
            kind, longest = after.split(" ")[0], len(point)
    return kind


def _folder(check: str, path: Path) -> Finding:
    here = _nearest(path)
    if not here.is_dir():
        return fail(check, f"{here} is not a folder", "name another one in [paths]")
    if not os.access(here, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        fix = f"run: chown {me()} {here}, or name another folder in [paths]"
        return fail(check, f"{here} cannot be written by {me()}", fix)
    kind = file_system(here) + (", a network share" if is_remote(here) else "")
    if here != path:
        return ok(check, f"{path} will be created, on {kind}")
    if check == "folder state" and is_remote(path):
        return warn(check, f"{path} on {kind}: a database is not safe there", "move it to a local disk")
    return ok(check, f"{path} on {kind}")


def _room(check: str, path: Path, free_mb: float, config: Config) -> Finding:
    least = config.intake.min_free_mb
    text = f"{free_mb / 1000:.1f} GB free on {path}, at least {least / 1000:.1f} GB are needed"
    if free_mb < least:
        return fail(check, text, "free some space; no video is claimed until then")
    if free_mb < 2 * least:
        return warn(check, text, "free some space")
    return ok(check, text)


def _not_ours_to_move(inbox: Path) -> Iterator[Path]:
    """Yield the inbox and students' folders out of which this user cannot rename another user's file."""
    places = [inbox]
    with os.scandir(inbox) as entries:
        for entry in entries:
            if len(places) >= _MOST_LOOKED_AT:
                break
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                places.append(Path(entry.path))
    user = os.geteuid()
    for place in places:
        seen = place.stat()
        sticky = seen.st_mode & stat.S_ISVTX and user not in (0, seen.st_uid)
        if sticky or not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
            yield place


def _nearest(path: Path) -> Path:
    """The path itself, or its nearest parent that exists."""
    return next((each for each in (path, *path.parents) if each.exists()), path)
