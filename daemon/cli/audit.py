"""`introeval audit`: the entries of the audit, and the bundle of a class. It needs no daemon."""

import json
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say, table, width
from daemon.core.errors import AuditBroken, StoreError, UsageError

if TYPE_CHECKING:
    from daemon.config.load import Config
    from daemon.core.keeping.bundle import Bundle, DeliveredResult
    from daemon.core.keeping.chain import ChainEntry
    from daemon.store import Database

_GONE = "(forgotten)"
_CALIBRATIONS = "calibrations"  # below the state folder


def audit(
    day: Annotated[
        str | None, typer.Argument(metavar="CLASS", help="Its name, or a day: today, 2026-11-27.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="The bundle; default: audit-CLASS.tar.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FILE", help="Verify a bundle, and write none.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A head noted earlier, which must be in the chain."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most entries to show.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Verify the audit, and show its last entries; or write the bundle of a class.

    The audit has every order with its account, and every delivered result with the SHA-256 of its file, each
    entry chained to the one before. A bundle has the entries and the results of a class. Keep the printed
    head elsewhere: who can write the database can make a whole chain anew, and the head then differs.
    """
    if verify is not None:
        if to is not None:
            raise UsageError("--verify writes no bundle; give either it or --to")
        _verify(verify, day, head, as_json=as_json)
    elif day is not None:
        _write(day, to, head, as_json=as_json)
    elif to is not None:
        raise UsageError("name the class that --to writes, as in: introeval audit today")
    else:
        _show(head, limit, as_json=as_json)


def _verify(file: Path, day: str | None, head: str | None, *, as_json: bool) -> None:
    from daemon.core.keeping import bundle

    try:
        found = bundle.verify(file.read_bytes())
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    except AuditBroken as exc:
        raise AuditBroken(f"{file} is not as it was written: {exc}; use another copy of it") from exc
    if day is not None and found.manifest.day != (wanted := _named(day)):
        raise AuditBroken(
            f"{file} is the bundle of {found.manifest.day} and not of {wanted}; name the right one"
        )
    _check_head(head, found.hashes)
    _tell(file, found, as_json=as_json)


def _write(day: str, to: Path | None, head: str | None, *, as_json: bool) -> None:
    from daemon import __version__
    from daemon.core.keeping import bundle
    from daemon.store import audit as entries
    from daemon.store.membership import membership
    from daemon.system.durable import whole_file

    settings = configuration()
    name = _named(day)
    with _database(settings) as db:
        of = membership(db, name, time.time())
        record = entries.of_class(db, name, of.begin, of.end, class_id=of.class_id)
    _check_chain(record.chain)
    _check_head(head, [entry.hash for entry in record.chain])
    texts = _texts(settings, record.results)
    content = bundle.make(name, f"introeval {__version__}", record.chain, record.mine, record.results, texts)
    try:
        found = bundle.verify(content)
    except AuditBroken as exc:
        raise AuditBroken(f"the record of {name} is broken, so no bundle was written: {exc}") from exc
    file = to or Path(f"audit-{name}.tar")
    try:
        if file.exists() and file.read_bytes() != content:
            raise UsageError(f"{file} is there with another content; name another file")
        with whole_file(file, 0o600) as out:
            out.write(content)
    except OSError as exc:
        raise UsageError(f"{file} cannot be written: {exc.strerror}") from exc
    _tell(file, found, as_json=as_json)
    for each in record.results:
        path = settings.paths.outbox / each.name
        if _content(path) not in (None, each.content):
            told = f"{path} is not what was delivered, and the bundle has what was"
            say([Line(told, "yellow")], error=True)


def _show(head: str | None, limit: int, *, as_json: bool) -> None:
    from daemon.store import audit as entries

    with _database(configuration()) as db:
        chain = entries.entries(db)
    _check_chain(chain)
    _check_head(head, [entry.hash for entry in chain])
    if as_json:
        print(json.dumps([_plain(entry) for entry in chain[-limit:]], indent=2))
    elif chain:
        rows = [_row(entry) for entry in chain[-limit:]]
        first, *lines = table([("entry", "when", "account", "what", "of", "change"), *rows], width() or 80)
        say([Line(first, "bold"), *lines, f"head {len(chain)} {chain[-1].hash}"])
    else:
        say(["no entry yet"])


def _row(entry: "ChainEntry") -> tuple[str, ...]:
    from daemon.cli.plain import local

    when, actor = local(entry.at)[5:16], entry.actor.text or _GONE
    if entry.details.text is None:
        return str(entry.number), when, actor, entry.what, _GONE, ""
    details = json.loads(entry.details.text)
    return str(entry.number), when, actor, entry.what, details["subject"], _change(details)


def _change(details: Mapping[str, object]) -> str:
    """What differs between before and after."""
    before, after = details["before"], details["after"]
    if not isinstance(after, dict):
        return f"{_word(before)} > {_word(after)}"
    parts = [
        f"{name} {_word(before.get(name))} > {_word(value)}"
        if isinstance(before, dict)
        else f"{name} {_word(value)}"
        for name, value in after.items()
        if not (isinstance(before, dict) and before.get(name) == value)
    ]
    return ", ".join(sorted(parts, key=len))  # a hash comes last


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(entry: "ChainEntry") -> dict[str, object]:
    said = json.loads(entry.details.text) if entry.details.text else {}
    return {
        "number": entry.number,
        "at": entry.at,
        "actor": entry.actor.text,
        "what": entry.what,
        **{name: said.get(name) for name in ("subject", "before", "after")},
        "hash": entry.hash,
    }


def _tell(file: Path, found: "Bundle", *, as_json: bool) -> None:
    manifest = found.manifest
    number, digest = manifest.head
    if as_json:
        said = {
            "file": str(file),
            "day": manifest.day,
            "results": len(manifest.results),
            "unrecorded": [each.name for each in found.unrecorded],
            "entries": len(found.entries),
            "head": {"number": number, "hash": digest},
        }
        print(json.dumps(said, indent=2))
        return
    say([
        f"{file} is whole: class {manifest.day}, {len(manifest.results)} results, "
        f"{len(found.entries)} of {number} entries",
        f"head {number} {digest}",
    ])  # fmt: skip
    if found.unrecorded:
        told = f"{len(found.unrecorded)} results have no entry: they were delivered before there was an audit"
        say([Line(told, "yellow")], error=True)


def _check_chain(chain: "Sequence[ChainEntry]") -> None:
    from daemon.core.keeping.chain import broken

    if wrong := broken(chain):
        told = f"entry {wrong.number} of the audit is not as it was written: {wrong.why}"
        raise AuditBroken(f"{told}; compare with a copy of the database or an earlier bundle")


def _check_head(head: str | None, hashes: Sequence[str]) -> None:
    if head is not None and head not in hashes:
        raise AuditBroken(
            f"the chain has no entry with the hash {head}, so it was made anew since that was noted; "
            "compare with an earlier bundle"
        )


def _texts(settings: "Config", results: "Sequence[DeliveredResult]") -> dict[str, bytes]:
    """The templates and calibrations whose SHA-256 the results name, as far as they are at hand."""
    from daemon.core.keeping.bundle import used
    from daemon.llm.prompts import OURS

    wanted = _digests(used(results))
    folders = [("rubric", OURS), ("calibration", settings.paths.state / _CALIBRATIONS)]
    if settings.prompts.folder is not None:
        folders.append(("rubric", settings.prompts.folder))
    found = {}
    for kind, folder in folders:
        for path in folder.glob("*.j*"):
            content = _content(path)
            if content is not None and (digest := sha256(content).hexdigest()) in wanted:
                found[f"{kind}/{digest}{path.suffix}"] = content
    return found


def _digests(said: object) -> set[str]:
    """The texts in a value that can be a SHA-256."""
    match said:
        case dict():
            return set().union(*map(_digests, said.values()))
        case list():
            return set().union(*map(_digests, said))
        case str() if len(said) == 64:
            return {said}
        case _:
            return set()


def _content(file: Path) -> bytes | None:
    """The bytes of a file; None if it is not at hand, as a result that was fetched from the outbox."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def _named(day: str) -> str:
    """The name of a class, or the date of a day."""
    from datetime import datetime

    from daemon.cli.time_parsing import day_name

    return day_name(day, datetime.now().astimezone())


def _database(settings: "Config") -> "Database":
    from daemon.store import open_reader
    from daemon.system.state_folder import DATABASE

    path = settings.paths.state / DATABASE
    try:
        return open_reader(path)
    except OSError as exc:
        raise StoreError(f"{path} cannot be read: {exc.strerror}; run this as the daemon's user") from exc
