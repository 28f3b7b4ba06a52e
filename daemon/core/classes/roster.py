"""The roster: who should hand in to a class, and under which names systems know them."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from daemon.core.content.document import DocumentPart
from daemon.core.intake.naming import is_safe
from daemon.core.spelling import folded

MOST_ENTRIES = 10_000
Text = Annotated[str, Field(max_length=200)]


def _safe(student: str) -> str:
    if not is_safe(student):
        raise ValueError("it can be no student's id: folders have its name")
    return student


class RosterEntry(DocumentPart):
    """One who should hand in. `student` is the id; `aliases` are other names of the same person in other
    systems: a login, a number of an LMS.
    """

    student: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_safe)]
    name: Text = ""
    group: Text = ""
    email: Text = ""
    aliases: tuple[Text, ...] = ()


class Roster:
    """The entries of a class, found by any of their names whatever its case and width."""

    def __init__(self, entries: Iterable[RosterEntry] = ()) -> None:
        self.entries = tuple(entries)
        self._by_id = {folded(entry.student): entry for entry in self.entries}
        self._by_key: dict[str, list[RosterEntry]] = defaultdict(list)
        self._by_name: dict[str, list[RosterEntry]] = defaultdict(list)
        for entry in self.entries:
            local = entry.email.partition("@")[0]
            for key in {folded(key) for key in (entry.student, *entry.aliases, entry.email, local) if key}:
                self._by_key[key].append(entry)
            for key in _orders(entry.name):
                self._by_name[key].append(entry)

    def find(self, named: str) -> RosterEntry | None:
        """The entry of an id, else of another name that only one entry has; None for nobody's."""
        known = self.known_as(named)
        return self._by_id.get(folded(named)) or (known[0] if len(known) == 1 else None)

    def known_as(self, named: str) -> Sequence[RosterEntry]:
        """The entries that have this id, address or other name."""
        return self._by_key.get(folded(named), ())

    def called(self, name: str) -> Sequence[RosterEntry]:
        """The people of this whole name, whichever part of it comes first, and with or without spaces."""
        return self._by_name.get("".join(words(name)), ())


def words(name: str) -> list[str]:
    """The words of a person's name, as they are compared."""
    text = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded(name))
    return text.split()


def _orders(name: str) -> set[str]:
    """A name of two words and more without spaces, beginning with any of them: `annasmith`, `smithanna`."""
    parts = words(name)
    return {"".join(parts[at:] + parts[:at]) for at in range(len(parts))} if len(parts) > 1 else set()
