"""The accounts of the operating system. Asking for one may go to a server, and takes as long as that does."""

import grp
import pwd
from collections.abc import Iterable

from daemon.core.errors import ConfigError


def account_name(number: int) -> str:
    """The name of an account, or its number where it has none, as on many shares."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def accounts(names: Iterable[str]) -> frozenset[str]:
    """These accounts, and the members of those that are groups (`@tutors`).

    Raises ConfigError for a group that does not exist.
    """
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        try:
            group = grp.getgrnam(name[1:])
        except KeyError:
            told = f"intake.shared_accounts names the group {name[1:]!r}, which does not exist"
            raise ConfigError(f"{told}; make it or name another") from None
        found |= {*group.gr_mem, *(each.pw_name for each in pwd.getpwall() if each.pw_gid == group.gr_gid)}
    return frozenset(found)
