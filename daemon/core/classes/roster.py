"""The roster: who should hand in to a class, and under which names systems know them."""

import unicodedata
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from daemon.core.content.document import DocumentPart

MOST_ENTRIES = 10_000

Text = Annotated[str, Field(max_length=200)]


class RosterEntry(DocumentPart):
    """One who should hand in. `student` is the id; `aliases` are other names of the same person in other
    systems: a login, a number of an LMS.
    """

    student: Annotated[str, Field(min_length=1, max_length=64)]
    name: Text = ""
    group: Text = ""
    email: Text = ""
    aliases: tuple[Text, ...] = ()


class Roster:
    """The entries of a class, found by any of their names whatever its case and width."""

    def __init__(self, entries: Iterable[RosterEntry] = ()) -> None:
        self.entries = tuple(entries)
        self._by_id = {folded(entry.student): entry for entry in self.entries}
        self._by_key: dict[str, RosterEntry | None] = {}  # None: a key of two
        for entry in self.entries:
            for key in {folded(key) for key in (*entry.aliases, entry.email) if key}:
                known = self._by_key.get(key, entry)
                self._by_key[key] = entry if known is entry else None

    def find(self, named: str) -> RosterEntry | None:
        """The entry of an id, else of another name that only one entry has; None for nobody's."""
        key = folded(named)
        return self._by_id.get(key) or self._by_key.get(key)


def folded(name: str) -> str:
    """A name as it is compared: without its case, its width and the spaces around it."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
