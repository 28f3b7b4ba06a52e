"""The audit bundle of a class: a tar that says what became of a class, and in which any change is found.

Its members: `entries.json`, the class's audit entries; `chain.json`, the digest of every entry's body, which
joins these to the head of the chain and tells nothing of the others; the results as they were delivered;
texts, as of the rubric; `manifest.json` with the SHA-256 of each of these. The last block, which follows the
end of the tar, is the seal: the SHA-256 of all bytes before it, so that headers and padding count as well.
"""

import io
import json
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from daemon.core.content.provenance_identity import identity
from daemon.core.errors import AuditBroken
from daemon.core.intake.naming import printable
from daemon.core.keeping.chain import (
    BEGIN,
    Broken,
    ChainEntry,
    canonical,
    delivery,
    fault,
    link,
    unexplained,
)
from daemon.core.tasks.task import Stage

_MANIFEST, _ENTRIES, _CHAIN = "manifest.json", "entries.json", "chain.json"
_READ_ENTRIES = TypeAdapter(list[ChainEntry])
_READ_CHAIN = TypeAdapter(list[str])
_WRONG = (tarfile.TarError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, EOFError)
"""What reading damaged bytes can raise; pydantic's error is a ValueError."""


@dataclass(frozen=True, slots=True)
class DeliveredResult:
    """A result as it was delivered. `name` is its file's below the outbox."""

    task: int
    revision: int
    name: str
    content: bytes


class ListedResult(BaseModel):
    """A result in the manifest; `member` is its place in the bundle."""

    task: int
    revision: int
    name: str
    member: str


class BundleManifest(BaseModel):
    """What a bundle has. `head` is the number and the hash of the newest entry of the whole chain.

    `used` are the models, prompts and parameters that the results name, by stage.
    """

    format: Literal[1] = 1
    day: str
    program: str
    head: tuple[int, str]
    used: dict[str, list[dict[str, Any]]]
    results: list[ListedResult]
    members: dict[str, str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle. `hashes` are those of the whole chain; `unrecorded` the results without an entry."""

    manifest: BundleManifest
    entries: Sequence[ChainEntry]
    hashes: Sequence[str]
    unrecorded: Sequence[ListedResult]


def make(
    day: str,
    program: str,
    chain: Sequence[ChainEntry],
    mine: Collection[int],
    results: Sequence[DeliveredResult],
    texts: Mapping[str, bytes],
) -> bytes:
    """The bundle of a class. `mine` are the numbers of its entries, `texts` further members by name."""
    members = {
        _ENTRIES: _READ_ENTRIES.dump_json([entry for entry in chain if entry.number in mine], indent=1),
        _CHAIN: _READ_CHAIN.dump_json([entry.body for entry in chain], indent=1),
        **texts,
    }
    listed = []
    for each in results:
        member = f"results/{each.task:06}-r{each.revision}.json"
        members[member] = each.content
        listed.append(ListedResult(task=each.task, revision=each.revision, name=each.name, member=member))
    manifest = BundleManifest(
        day=day,
        program=program,
        head=(len(chain), chain[-1].hash if chain else BEGIN),
        used=used(results),
        results=listed,
        members={name: _sha256(members[name]) for name in sorted(members)},
    )
    return _packed({**members, _MANIFEST: manifest.model_dump_json(indent=1).encode()})


def used(results: Iterable[DeliveredResult]) -> dict[str, list[dict[str, Any]]]:
    """The models, prompts and parameters that the results name, by stage, each once."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for each in results:
        provenance = json.loads(each.content).get("provenance", {})
        for stage in Stage:
            if isinstance(said := provenance.get(stage.value), dict):
                known = identity(said)
                found.setdefault(stage.value, {})[canonical(known)] = known
    return {stage: [texts[text] for text in sorted(texts)] for stage, texts in found.items()}


def verify(content: bytes) -> Bundle:
    """Read a bundle. Raises AuditBroken, which names the first thing that is not as it was written."""
    try:
        return _verified(content)
    except _WRONG as exc:
        raise AuditBroken(f"it cannot be read: {' '.join(str(exc).split())[:200]}") from exc


def _verified(content: bytes) -> Bundle:
    members = _unpacked(content)
    for needed in (_MANIFEST, _ENTRIES, _CHAIN):
        if needed not in members:
            raise AuditBroken(f"{needed} is missing")
    manifest = BundleManifest.model_validate_json(members[_MANIFEST])
    for name in sorted((members.keys() | manifest.members.keys()) - {_MANIFEST}):
        if name not in manifest.members:
            raise AuditBroken(f"{printable(name)} was added")
        if name not in members:
            raise AuditBroken(f"{printable(name)} is missing")
        if _sha256(members[name]) != manifest.members[name]:
            raise AuditBroken(f"{printable(name)} was changed")
    if content[-tarfile.BLOCKSIZE :] != _seal(content[: -tarfile.BLOCKSIZE]):
        raise AuditBroken(f"{_MANIFEST} or what is around the members was changed, added or cut off")
    entries = _READ_ENTRIES.validate_json(members[_ENTRIES])
    hashes = [*_hashes(_READ_CHAIN.validate_json(members[_CHAIN]))]
    if manifest.head != (len(hashes), hashes[-1] if hashes else BEGIN):
        raise AuditBroken(f"{_CHAIN} does not lead to the head of the manifest")
    if wrong := _broken(entries, hashes):
        raise AuditBroken(f"entry {wrong.number}: {wrong.why}")
    return Bundle(manifest, entries, hashes, _unrecorded(manifest, entries))


def _hashes(bodies: Iterable[str]) -> Iterator[str]:
    previous = BEGIN
    for body in bodies:
        yield (previous := link(previous, body))


def _broken(entries: Sequence[ChainEntry], hashes: Sequence[str]) -> Broken | None:
    """The first of the class's entries that is not the one of this number in the chain."""
    last = 0
    for entry in entries:
        number = entry.number
        if not last < number <= len(hashes):
            return Broken(number, "it stands in another's place")
        previous = hashes[number - 2] if number > 1 else BEGIN
        if why := fault(entry, number, previous):
            return Broken(number, why)
        if entry.hash != hashes[number - 1]:
            return Broken(number, "it is not the one of the chain")
        last = number
    return unexplained(entries)


def _unrecorded(manifest: BundleManifest, entries: Sequence[ChainEntry]) -> list[ListedResult]:
    """The results that no entry has. Raises AuditBroken where an entry has another one, or a missing one."""
    left = {(each.task, each.revision): each for each in manifest.results}
    recorded = set()
    for entry in entries:
        if (found := delivery(entry)) is None:
            continue
        task, revision, digest = found
        result = left.get((task, revision))
        if result is None:
            told = f"the result of task {task}, revision {revision}, is missing"
            raise AuditBroken(f"entry {entry.number}: {told}")
        if manifest.members[result.member] != digest:
            raise AuditBroken(f"{result.member} is not the result that entry {entry.number} has")
        recorded.add((task, revision))
    return [each for key, each in left.items() if key not in recorded]


def _packed(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(members):
            info = tarfile.TarInfo(name)  # no time, no owner
            info.size = len(members[name])
            tar.addfile(info, io.BytesIO(members[name]))
    return packed.getvalue() + _seal(packed.getvalue())


def _unpacked(content: bytes) -> dict[str, bytes]:
    members = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        for info in tar:
            file = tar.extractfile(info) if info.type == tarfile.REGTYPE else None
            if file is None or info.size > len(content):
                raise AuditBroken(f"{printable(info.name)} is no file")
            if info.name in members:
                raise AuditBroken(f"{printable(info.name)} is there twice")
            members[info.name] = file.read()
    return members


def _seal(content: bytes) -> bytes:
    line = f"The SHA-256 of all bytes before this block is {_sha256(content)}.\n"
    return line.encode().ljust(tarfile.BLOCKSIZE, b"\0")


def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()
