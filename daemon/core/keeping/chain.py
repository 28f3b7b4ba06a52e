"""The chain of the audit entries: the hash of an entry, and where a sequence of them is broken.

An entry's hash covers the hash of the entry before and its own body: number, time, kind, and the digests of
two sealed texts, the account and the details (subject, before, after). A digest covers the text and a random
salt. Once both are deleted, nothing can be learnt from the digest, and the chain can still be verified. So
that a text is not simply removed, an entry of the kind `forget` names each entry that was emptied.

All hashes are SHA-256 over a canonical JSON array, which has one text for one meaning.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

BEGIN = "0" * 64
"""The hash before the first entry."""
FORGET = "forget"
"""The kind of entry that names which entries were emptied."""


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
    previous = BEGIN
    emptied: set[tuple[int, str]] = set()
    forgotten: set[tuple[int, str]] = set()
    for number, entry in enumerate(entries, 1):
        if why := _fault(entry, number, previous):
            return Broken(number, why)
        previous = entry.hash
        emptied.update((number, name) for name in gone(entry))
        forgotten.update(named(entry))
    for number, name in sorted(emptied - forgotten):
        return Broken(number, f"its {name} was deleted, and no order to forget says so")
    return None


def gone(entry: ChainEntry) -> Iterator[str]:
    """Which of the entry's texts were deleted: `actor`, `details`."""
    return (name for name in ("actor", "details") if getattr(entry, name).text is None)


def named(entry: ChainEntry) -> Iterator[tuple[int, str]]:
    """Which texts of which entries an entry of the kind `forget` says it has deleted."""
    if entry.what == FORGET and entry.details.text is not None:
        after = json.loads(entry.details.text)["after"]
        yield from ((number, name) for name in ("actor", "details") for number in after[name])


def _fault(entry: ChainEntry, number: int, previous: str) -> str:
    if entry.number != number:
        return f"entry {entry.number} stands in its place"
    if entry.previous != previous:
        return "it does not follow the entry before"
    if not entry.actor.fits:
        return "its account was changed"
    if not entry.details.fits:
        return "its details were changed"
    return "" if entry.hash == link(previous, entry.body) else "it was changed"


def _hash(*parts: str | int) -> str:
    return sha256(canonical(parts).encode()).hexdigest()
