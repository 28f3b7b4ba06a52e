"""The chain of the audit entries: the hash of an entry, and where a sequence of them is broken.

An entry's hash covers the hash of the entry before and its own body: number, time, kind, and the digests of
two sealed texts, the account and the details (subject, before, after). A digest covers the text and a random
salt. Once both are deleted, nothing can be learnt from the digest, and the chain can still be verified. So
that a text is not simply removed, an entry of the kind `forget` names each entry that was emptied.

All hashes are SHA-256 over a canonical JSON array, which has one text for one meaning.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

BEGIN = "0" * 64
"""The hash before the first entry."""
FORGET = "forget"
"""The kind of entry that names which entries were emptied."""
DELIVERED = "delivered"
"""The kind of entry that has the SHA-256 of a result's file."""
TASK = "task "
"""The subject of an entry about a task begins so, and goes on with its number."""
PARTS = ("actor", "details")
"""The parts of an entry that can be emptied."""
_WERE = {"actor": "account was", "details": "details were"}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A text that can be deleted: text and salt are None then."""

    text: str | None
    salt: str | None
    digest: str

    @property
    def fits(self) -> bool:
        """Whether the text is the one of the digest, or was deleted."""
        if self.text is None or self.salt is None:
            return self.text is self.salt is None
        return self.digest == _hash(self.salt, self.text)


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """An entry of the audit. `details` is the canonical JSON of an object with subject, before and after."""

    number: int
    at: str
    what: str
    actor: Sealed
    details: Sealed
    previous: str
    hash: str

    @property
    def body(self) -> str:
        """The digest of all but the hashes."""
        return _hash(self.number, self.at, self.what, self.actor.digest, self.details.digest)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that is not as it was written, and why."""

    number: int
    why: str


def canonical(value: object) -> str:
    """The one JSON text of a plain value. Raises ValueError for NaN and infinity, which JSON lacks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def seal(text: str, salt: str) -> Sealed:
    """Seal a text with a random salt."""
    return Sealed(text, salt, _hash(salt, text))


def link(previous: str, body: str) -> str:
    """The hash of an entry, from the hash before and the digest of its body."""
    return _hash(previous, body)


def chained(number: int, at: str, what: str, actor: Sealed, details: Sealed, previous: str) -> ChainEntry:
    """The entry after the one with the hash `previous`."""
    entry = ChainEntry(number, at, what, actor, details, previous, "")
    return ChainEntry(number, at, what, actor, details, previous, link(previous, entry.body))


def broken(entries: Iterable[ChainEntry]) -> Broken | None:
    """The first broken entry of a whole chain; None if there is none."""
    previous, whole = BEGIN, list(entries)
    for number, entry in enumerate(whole, 1):
        if why := fault(entry, number, previous):
            return Broken(number, why)
        previous = entry.hash
    return unexplained(whole)


def fault(entry: ChainEntry, number: int, previous: str) -> str:
    """Why an entry is not the one with this number after the one with the hash `previous`; empty if it is."""
    if entry.number != number:
        return f"entry {entry.number} stands in its place"
    if entry.previous != previous:
        return "it does not follow the entry before"
    if not entry.actor.fits:
        return "its account was changed"
    if not entry.details.fits:
        return "its details were changed"
    return "" if entry.hash == link(previous, entry.body) else "it was changed"


def unexplained(entries: Iterable[ChainEntry]) -> Broken | None:
    """The first entry that was emptied, and none of the entries says that it was forgotten."""
    emptied: set[tuple[int, str]] = set()
    for entry in (whole := list(entries)):
        emptied.update((entry.number, name) for name in PARTS if getattr(entry, name).text is None)
    for entry in whole:
        emptied.difference_update(forgotten(entry))
    for number, name in sorted(emptied):
        return Broken(number, f"its {_WERE[name]} deleted, and no order to forget says so")
    return None


def forgotten(entry: ChainEntry) -> set[tuple[int, str]]:
    """The entries, and which of their parts, that an order to forget has emptied."""
    if entry.what != FORGET or entry.details.text is None:
        return set()
    after = json.loads(entry.details.text)["after"]
    return {(number, name) for name in PARTS for number in after[name]}


def delivery(entry: ChainEntry) -> tuple[int, int, str] | None:
    """The task, the revision and the SHA-256 of a delivered result; None for another entry."""
    if entry.what != DELIVERED or entry.details.text is None:
        return None
    details = json.loads(entry.details.text)
    after = details["after"]
    return int(details["subject"].removeprefix(TASK)), after["revision"], after["sha256"]


def _hash(*parts: str | int) -> str:
    return sha256(canonical(parts).encode()).hexdigest()
