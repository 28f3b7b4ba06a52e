"""The check of regular expressions that a lab writes: they run on what students write."""

import re
import time

from daemon.core.intake.naming import LONGEST_PATH

_LONGEST_S = 0.01
_LENGTHS = (*range(4, 33, 4), *range(48, LONGEST_PATH, 48), LONGEST_PATH)
_USUAL = "a0A_-. /"


def naming_student(pattern: str) -> str:
    """A checked pattern with a group `student`. Raises ValueError."""
    return checked(pattern, "student")


def checked(pattern: str, group: str = "") -> str:
    """A pattern that compiles, has the group, and is quick on long names. Raises ValueError.

    It is timed on texts made of the pattern's own characters, which grow until one takes more than 10 ms.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as exc:
        raise ValueError(f"{pattern!r} is no regular expression: {exc}; see Python's module re") from exc
    if group and group not in compiled.groupindex:
        raise ValueError(f"{pattern!r} has no group {group!r}; write (?P<{group}>...) around the id")
    own = [c for c in dict.fromkeys(pattern) if c.isalnum()][:16]
    units = [*_USUAL, *own, "a_", "a/", "a.", "a-", "a0", "0_"]
    for length in _LENGTHS:
        for unit in units:
            for ending in ("", "\0"):
                text = (unit * length)[: length - 1] + ending
                began = time.thread_time()
                compiled.fullmatch(text)
                if time.thread_time() - began > _LONGEST_S:
                    told = f"takes more than {1000 * _LONGEST_S:.0f} ms on a name of {length} characters"
                    raise ValueError(f"{pattern!r} {told}; avoid repetitions within repetitions")
    return pattern
