"""Who may change things through the control socket."""

import grp
import os
import pwd
from collections.abc import Callable


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
