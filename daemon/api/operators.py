"""The users who may change things through the control socket, and for whom connections are kept."""

import grp
import os
import pwd
from collections.abc import Callable, Iterable, Iterator

from daemon.api.connection_limits import ReservedFor


def operators(name: str) -> Callable[[int], bool]:
    """Make the check whether a user id is root, the daemon's, or in the group `name` (empty: no group)."""

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


def may_hand_in_rosters(name: str) -> Callable[[int], bool]:
    """Make the check whether a roster in the inbox counts, by the user id that owns it: as `operators`, but
    the daemon's own only where no group is named, since a share can make all files its own.
    """
    may_change, own = operators(name), os.geteuid()
    return lambda uid: may_change(uid) and (uid == 0 or uid != own or not name)


def kept_for(name: str) -> ReservedFor:
    """Root, the daemon's user and the listed members of the group `name`, for whom connections are kept.

    Users whose primary group it is are not listed by the system, and have the limits of a reader.
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
        except KeyError:  # listed, but not a user of this machine
            continue
