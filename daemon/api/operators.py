"""Who may change things through the control socket, and has a part of its connections."""

import grp
import os
import pwd
from collections.abc import Callable, Iterable, Iterator

from daemon.api.connection_limits import ReservedFor


def operators(name: str) -> Callable[[int], bool]:
    """Whether a user id is the daemon's, root's, or of a member of the group `name` (empty: of none)."""

    def may_change(uid: int) -> bool:
        if uid in (0, os.geteuid()):
            return True
        if not name:
            return False
        try:
            group = grp.getgrnam(name).gr_gid
            user = pwd.getpwuid(uid)
        except KeyError:
            return False
        return group in os.getgrouplist(user.pw_name, user.pw_gid)

    return may_change


def kept_for(name: str) -> ReservedFor:
    """For whom connections are kept: root, the daemon's user and who is listed in the group `name` now.

    Whose primary group it is is not listed, and is as every reader here.
    """
    owners = frozenset({0, os.geteuid()})
    try:
        listed = grp.getgrnam(name).gr_mem if name else []
    except KeyError:
        listed = []
    return ReservedFor(owners, frozenset(_ids(listed)))


def _ids(users: Iterable[str]) -> Iterator[int]:
    for user in users:
        try:
            yield pwd.getpwnam(user).pw_uid
        except KeyError:  # listed, but no user of this machine
            continue
