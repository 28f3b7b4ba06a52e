"""The folders: whether they can be used, what they lie on, and whether there is room. Nothing is written."""

import grp
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from daemon.config.load import Config
from daemon.contracts.wire.words import PlaceState
from daemon.doctor.facts import Facts, me
from daemon.doctor.finding import Finding, fail, ok, warn
from daemon.intake.alarm import reason_of, shown
from daemon.system.mounts import MOUNTINFO, is_remote

_MOST_LOOKED_AT = 2000  # folders of students
_NAMED = 3
_LIMITS = Path("/proc/sys/fs/inotify")
_FEW_WATCHES, _FEW_INSTANCES = 8192, 128


def folders(facts: Facts) -> list[Finding]:
    """Inbox, outbox, state and the socket's folder: there, or to be made, and ours to write."""
    paths = facts.config.paths
    named = {
        "inbox": paths.inbox,
        "outbox": paths.outbox,
        "state": paths.state,
        "socket": paths.socket.parent,
    }
    return [_folder(f"folder {name}", path) for name, path in named.items()]


def places(facts: Facts) -> list[Finding]:
    """Whether inbox and outbox are the folders that were known: a share may not be mounted."""
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
    """Whether what students put into the inbox can be taken out of it, and how it gets to the spool."""
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
        text = f"files of students can't be moved out of {', '.join(stuck[:_NAMED])}"
        more = f" and {len(stuck) - _NAMED} more folders" if len(stuck) > _NAMED else ""
        mend = "give the daemon's user or group the right to write there, without a sticky bit: chmod g+wx,-t"
        findings.append(fail("rights inbox", text + more, mend))
    else:
        findings.append(ok("rights inbox", f"what students own can be moved, as {me()}"))
    if state.is_dir() and inbox.stat().st_dev != state.stat().st_dev:
        findings.append(ok("claim", "inbox and state lie on two file systems: each video is copied"))
    elif state.is_dir():
        findings.append(ok("claim", "inbox and state lie on one file system: each video is renamed"))
    return findings


def watching(facts: Facts) -> list[Finding]:
    """How the inbox is watched, and whether the system allows as many watches as that takes."""
    config = facts.config
    inbox = config.paths.inbox
    if config.intake.poll is True or (config.intake.poll == "auto" and is_remote(inbox)):
        why = (
            "as configured" if config.intake.poll is True else "it is a network share, which sends no events"
        )
        return [ok("watching", f"the inbox is polled: {why}")]
    if is_remote(inbox):
        mend = 'say intake.poll = "auto"'
        return [warn("watching", "the inbox is a network share, and polling is switched off", mend)]
    try:
        watches = int((_LIMITS / "max_user_watches").read_text())
        instances = int((_LIMITS / "max_user_instances").read_text())
    except (OSError, ValueError):
        return [ok("watching", "the inbox is watched; the system does not say how many watches it allows")]
    text = f"the inbox is watched; {watches} watches and {instances} watchers a user are allowed"
    if watches < _FEW_WATCHES or instances < _FEW_INSTANCES:
        mend = "run: sysctl fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=512"
        return [warn("watching", text, mend)]
    return [ok("watching", text)]


def outbox_group(facts: Facts) -> list[Finding]:
    """Whether results can be given to the group that is to read them."""
    name = facts.config.outbox.group
    if not name:
        return []
    try:
        group = grp.getgrgid(int(name)) if name.isdecimal() else grp.getgrnam(name)
    except KeyError:
        return [fail("outbox group", f"there is no group {name}", f"run: groupadd {name}")]
    if os.geteuid() != 0 and group.gr_gid not in {os.getegid(), *os.getgroups()}:
        mend = f"run: usermod -aG {group.gr_name} {me()}"
        return [fail("outbox group", f"{me()} is not in {group.gr_name} and can't give files to it", mend)]
    return [ok("outbox group", f"results are given to {group.gr_name}")]


def disk(facts: Facts) -> list[Finding]:
    """Room where videos and results go; below `intake.min_free_mb` nothing is taken in."""
    config = facts.config
    findings = []
    for name, path in (("state", config.paths.state), ("outbox", config.paths.outbox)):
        here = _nearest(path)
        try:
            free_mb = shutil.disk_usage(here).free / 1e6
        except OSError as exc:
            findings.append(fail(f"disk {name}", f"{here}: {reason_of(exc)}", "see that it is mounted"))
            continue
        findings.append(_room(f"disk {name}", here, free_mb, config))
    return findings


def file_system(path: Path, mountinfo: Path = MOUNTINFO) -> str:
    """The type of the file system that holds `path`, as the mount table has it; `?` where there is none."""
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
        return fail(check, f"{here} is no folder", "name another one in [paths]")
    if not os.access(here, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        mend = f"run: chown {me()} {here}, or name another folder in [paths]"
        return fail(check, f"{here} can't be written by {me()}", mend)
    kind = file_system(here) + (", a network share" if is_remote(here) else "")
    if here != path:
        return ok(check, f"{path} will be made, on {kind}")
    if check == "folder state" and is_remote(path):
        return warn(check, f"{path} on {kind}: a database there is not safe", "move it to a local disk")
    return ok(check, f"{path} on {kind}")


def _room(check: str, path: Path, free_mb: float, config: Config) -> Finding:
    least = config.intake.min_free_mb
    text = f"{free_mb / 1000:.1f} GB free on {path}, at least {least / 1000:.1f} GB are needed"
    if free_mb < least:
        return fail(check, text, "make room; nothing is taken in until then")
    if free_mb < 2 * least:
        return warn(check, text, "make room")
    return ok(check, text)


def _not_ours_to_move(inbox: Path) -> Iterator[Path]:
    """The inbox and its students' folders out of which somebody else's file can't be renamed by us."""
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
    """The path itself, or the nearest one above it that is there."""
    return next((each for each in (path, *path.parents) if each.exists()), path)
