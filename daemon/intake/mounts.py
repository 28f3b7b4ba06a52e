"""Whether changes in a folder can come from another machine, of which no event ever tells us."""

import os
import re
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    "9p afs beegfs ceph cifs davfs gfs2 glusterfs lustre ncpfs nfs nfs4 smb3 smbfs vboxsf virtiofs".split()
)
_ESCAPE = re.compile(rb"\\([0-7]{3})")


def is_remote(root: Path, mountinfo: Path = MOUNTINFO) -> bool:
    """Whether `root`, or something mounted below it, lies on a network file system (proc(5), mountinfo).

    FUSE counts as one, except for a local disk's (`fuseblk`): sshfs, rclone and the like are FUSE. False
    where there is no such table.
    """
    here = os.fsencode(os.path.realpath(root))
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:
        return False
    mounts = [_parse(line) for line in lines]
    # Of two mounts at one point the later covers the earlier.
    around = [(len(point), i, kind) for i, (point, kind) in enumerate(mounts) if _holds(point, here)]
    within = [kind for point, kind in mounts if point != here and _holds(here, point)]
    return any(_is_network(kind) for kind in [max(around)[2] if around else "", *within])


def _parse(line: bytes) -> tuple[bytes, str]:
    before, _, after = line.partition(b" - ")
    point = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), before.split(b" ")[4])
    return point, after.split(b" ")[0].decode("ascii", "replace")


def _holds(folder: bytes, path: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or kind.startswith("fuse.")
