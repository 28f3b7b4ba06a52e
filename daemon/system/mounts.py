"""The file system of a folder, by the kernel's mount table (proc(5), mountinfo)."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from daemon.core.intake.place import FileSystem

MOUNTINFO = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    "9p afs beegfs ceph cifs davfs gfs2 glusterfs lustre ncpfs nfs nfs4 smb3 smbfs vboxsf virtiofs".split()
)
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_MOUNT_ID = re.compile(rb"^mnt_id:\s*(\d+)$", re.MULTILINE)
_USER_ID = re.compile(rb"(?:^|,)user_id=(\d+)")


@dataclass(frozen=True, slots=True)
class _Mount:
    """A line of the table. The folder `root` of the file system is mounted at `point`."""

    id: bytes
    root: bytes
    point: bytes
    type: str
    source: bytes
    of_user: bool
    """Whether an ordinary user has mounted it, as FUSE lets them: such a file system may never answer."""


def is_remote(root: Path, mountinfo: Path = MOUNTINFO) -> bool:
    """Whether another machine can change `root` or a file system mounted below it.

    Such changes cause no inotify event. FUSE counts as a network file system (sshfs, rclone), except
    `fuseblk`, which is a local disk's. False without a mount table.
    """
    here = os.fsencode(os.path.realpath(root))
    mounts = _table(mountinfo)
    # Of two mounts at one point the later hides the earlier.
    around = [(len(each.point), i, each.type) for i, each in enumerate(mounts) if _holds(each.point, here)]
    within = [mount.type for mount in mounts if mount.point != here and _holds(here, mount.point)]
    return any(_is_network(kind) for kind in [max(around)[2] if around else "", *within])


def users_mounts_within(root: Path, mountinfo: Path = MOUNTINFO) -> frozenset[bytes]:
    """The paths, beginning with `root` as given, at which an ordinary user has mounted something below it.

    It reads only the mount table, since such a file system may never answer. Empty without a mount table.
    """
    here = os.fsencode(os.path.realpath(root))
    points = [mount.point for mount in _table(mountinfo) if mount.of_user]
    below = [os.path.relpath(point, here) for point in points if point != here and _holds(here, point)]
    return frozenset(os.path.join(os.fsencode(root), each) for each in below)


def file_system(fd: int, mountinfo: Path = MOUNTINFO) -> FileSystem:
    """The file system of an open folder, found by its mount and not by its path. Raises OSError.

    Without a mount table only the id of the file system is known.
    """
    fsid = f"{os.statvfs(fd).f_fsid:x}"
    try:
        mount_id = _MOUNT_ID.search(Path(f"/proc/self/fdinfo/{fd}").read_bytes())
        path = os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError:
        mount_id, path = None, b""
    mount = next((each for each in _table(mountinfo) if mount_id and each.id == mount_id[1]), None)
    if mount is None:
        return FileSystem("", fsid, "", mounted=False)
    source = mount.source.decode(errors="backslashreplace")
    # A network file system's id is 0 or changes with each mount; its address does not.
    key = source if fsid == "0" or _is_network(mount.type) else fsid
    root = mount.root.decode(errors="backslashreplace")
    return FileSystem(mount.type, key, root, mounted=path == mount.point, source=source)


def _table(mountinfo: Path) -> list[_Mount]:
    try:
        return [_parse(line) for line in mountinfo.read_bytes().splitlines()]
    except OSError:
        return []


def _parse(line: bytes) -> _Mount:
    before, _, after = line.partition(b" - ")
    mount_id, _, _, root, point = before.split(b" ")[:5]
    kind, source, options = (*after.split(b" "), b"")[:3]
    user = _USER_ID.search(options)
    return _Mount(
        id=mount_id,
        root=_unescaped(root),
        point=_unescaped(point),
        type=kind.decode("ascii", "replace"),
        source=_unescaped(source),
        of_user=user is not None and user[1] != b"0",
    )


def _unescaped(field: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field)


def _holds(folder: bytes, path: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or kind.startswith("fuse.")
