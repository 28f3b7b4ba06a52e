"""The accounts of the operating system. A look-up may ask a server (LDAP, SSSD), and blocks meanwhile."""

import grp
import pwd
from collections.abc import Iterable

from daemon.core.errors import ConfigError


def account_name(number: int) -> str:
    """The name of an account, or its number if it has none, as on many shares."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def accounts(names: Iterable[str]) -> frozenset[str]:
    """The accounts with these names, and the members of groups (`@tutors`).

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
            raise ConfigError(f"{told}; create it or name another") from None
        found |= {*group.gr_mem, *(each.pw_name for each in pwd.getpwall() if each.pw_gid == group.gr_gid)}
    return frozenset(found)
