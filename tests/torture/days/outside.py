"""What the world does to a lab from outside, whether its daemon runs or not."""

import os
from hashlib import sha256
from pathlib import Path

from daemon.core.intake.place import FileSystem
from daemon.store.database import Database
from tests.torture.days.lab import Lab, Moment, Upload

_SHARE = FileSystem("nfs4", "server:/share", "/", mounted=True)
_BARE = FileSystem("ext4", "1", "/", mounted=False)
_HIDDEN = ".away"  # the ending of a share's folder while it is away


def build(lab: Lab) -> None:
    """Make the folders of a lab."""
    for folder in (lab.inbox, lab.outbox, lab.state):
        folder.mkdir(parents=True)
        (folder / ".share").touch()


def system_of(lab: Lab, fd: int) -> FileSystem:
    """The file system of an open folder: that of the share, or of the bare folder under its mount point."""
    try:
        os.stat(".share", dir_fd=fd)
    except FileNotFoundError:
        return _BARE
    return _SHARE


def happen(lab: Lab, moment: Moment, db: Database | None = None) -> bool:
    """Let something happen from outside. False for what only a running daemon can notice."""
    match moment.what, moment.about:
        case "upload", int(number):
            _hand_in(lab, lab.uploads[number])
        case "half", int(number):
            _begin_to_hand_in(lab, lab.uploads[number])
        case "away", (str(share),):
            take_away(lab, share)
        case "back", (str(share),):
            bring_back(lab, share)
        case "take", float(part):
            _take_results(lab, part, db)
        case "sick", (str(stage), float(long)):
            lab.sick[stage] = lab.clock.now + long
        case "slow disk", float(long):
            lab.disk_slow_until = lab.clock.now + long
        case "full disk", float(long):
            lab.disk_full_until = lab.clock.now + long
        case "clock", float(turned):
            lab.clock.ahead += turned
        case _:
            return False
    lab.count(moment.what)
    lab.log(f"{moment.what} {moment.about}")
    return True


def look(lab: Lab) -> None:
    """Look at the outbox: no file may ever have other bytes than before."""
    if "outbox" in lab.away:
        return
    for path in sorted(lab.outbox.glob("*/[!.]*")):
        name = str(path.relative_to(lab.outbox))
        digest = sha256(path.read_bytes()).hexdigest()
        if lab.published.setdefault(name, digest) != digest:
            lab.find("doubled", f"{name} has other bytes than before")


def _target(lab: Lab, upload: Upload) -> Path:
    inbox = lab.inbox.with_name(f"inbox{_HIDDEN}") if "inbox" in lab.away else lab.inbox
    target = inbox / upload.path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _begin_to_hand_in(lab: Lab, upload: Upload) -> None:
    """As a program that copies under the file's own name."""
    target = _target(lab, upload)
    target.write_bytes(upload.content[:5])
    os.utime(target, (lab.clock.now, lab.clock.now))


def _hand_in(lab: Lab, upload: Upload) -> None:
    """As a careful program does: whole under another name, then renamed. One that grows is finished."""
    target = _target(lab, upload)
    if upload.kind == "link":
        target.symlink_to("/etc/hostname")
    elif upload.kind == "growing":
        target.write_bytes(upload.content)
        os.utime(target, (lab.clock.now, lab.clock.now))
    else:
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(upload.content)
        os.utime(part, (lab.clock.now, lab.clock.now))
        part.rename(target)
    upload.at = lab.clock.now


def take_away(lab: Lab, share: str) -> None:
    """Unmount a share: its path is the bare folder then."""
    folder = lab.folder / share
    if share in lab.away:
        return
    folder.rename(folder.with_name(share + _HIDDEN))
    folder.mkdir()
    lab.away.add(share)


def bring_back(lab: Lab, share: str) -> None:
    """Mount a share again. What was written into the bare folder meanwhile would be hidden: a finding."""
    if share not in lab.away:
        return
    folder = lab.folder / share
    for name in sorted(os.listdir(folder)):
        lab.find("lost", f"{share}: {name} was put into the bare folder of a share that is away")
        (folder / name).rename(lab.folder / f"lost-{len(lab.findings)}")
    folder.rmdir()
    folder.with_name(share + _HIDDEN).rename(folder)
    lab.away.discard(share)


def _take_results(lab: Lab, part: float, db: Database | None) -> None:
    """As a lab's own tools do: move some of the delivered files elsewhere."""
    look(lab)
    if "outbox" in lab.away:
        return
    taken = lab.folder / "taken"
    for path in sorted(lab.outbox.glob("*/[!.]*")):
        name = str(path.relative_to(lab.outbox))
        if lab.chance("take", name, lab.clock.now).random() < part:
            (taken / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(taken / name)
            lab.taken[name] = db is not None and _is_known_delivered(db, name)


def _is_known_delivered(db: Database, name: str) -> bool:
    query = "SELECT 1 FROM documents WHERE name = ? AND delivered_at IS NOT NULL"
    return db.execute_sql(query, (name,)).fetchone() is not None
