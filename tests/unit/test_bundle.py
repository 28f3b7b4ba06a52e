"""The audit bundle: whole as it was made, and any change of it is found."""

import io
import json
import tarfile
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.errors import AuditBroken
from daemon.core.keeping import bundle
from daemon.core.keeping.bundle import Bundle, DeliveredResult, make, verify
from daemon.core.keeping.chain import BEGIN, DELIVERED, FORGET, ChainEntry, Sealed, canonical, chained, seal

RATED = {"provenance": {"rate": {"model": "llama3", "prompt_sha256": "ab", "seed": 7}}}
RESULTS = [
    DeliveredResult(1, 1, "s001/0001-me.result.json", json.dumps({"task_id": 1, **RATED}).encode()),
    DeliveredResult(2, 1, "s002/0002-me.result.json", json.dumps({"task_id": 2, **RATED}).encode()),
]


def entry(chain: list[ChainEntry], what: str, subject: str, after: object, actor: str = "ann") -> ChainEntry:
    number = len(chain) + 1
    details = canonical({"subject": subject, "before": None, "after": after})
    sealed = seal(actor, f"a{number}"), seal(details, f"d{number}")
    return chained(number, "2026-11-27T10:00:00Z", what, *sealed, chain[-1].hash if chain else BEGIN)


def delivered(chain: list[ChainEntry], result: DeliveredResult) -> ChainEntry:
    after = {"revision": result.revision, "sha256": sha256(result.content).hexdigest()}
    return entry(chain, DELIVERED, f"task {result.task}", after)


def a_chain() -> list[ChainEntry]:
    chain: list[ChainEntry] = []
    for subject in ("task 99", "daemon", "task 99"):
        chain.append(entry(chain, "pause", subject, "secret of another class"))
    chain += [delivered(chain, RESULTS[0])]
    chain += [delivered(chain, RESULTS[1])]
    return chain


def made(chain: list[ChainEntry] | None = None, results: list[DeliveredResult] = RESULTS) -> bytes:
    texts = {"rubric/ab.j2": b"Rate {{ transcript }}"}
    return make("2026-11-27", "introeval 3", chain or a_chain(), {2, 4, 5, 6}, results, texts)


def broken(content: bytes) -> str:
    with pytest.raises(AuditBroken) as raised:
        verify(content)
    return str(raised.value)


def test_a_bundle_verifies_and_has_the_same_bytes_each_time() -> None:
    content = made()
    assert content == made()
    found = verify(content)
    assert [each.number for each in found.entries] == [2, 4, 5]
    assert found.manifest.head == (5, a_chain()[-1].hash)
    assert list(found.hashes) == [each.hash for each in a_chain()]
    assert found.manifest.used == {"rate": [{"model": "llama3", "prompt_sha256": "ab"}]}
    assert found.unrecorded == []
    assert content.count(b"secret of another class") == 1, "of the entries of others there are only hashes"


def test_a_changed_bit_of_any_byte_is_found() -> None:
    content = made()
    unfound = []
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << (at % 8)
        try:
            verify(bytes(changed))
        except AuditBroken:
            continue
        unfound.append(at)
    assert unfound == []


CHANGES = st.lists(st.tuples(st.integers(0, 10_239), st.binary(max_size=9), st.integers(0, 9)), min_size=1)


@given(CHANGES)
def test_whatever_is_changed_added_or_cut_out_is_found_and_nothing_else_is_raised(
    changes: list[tuple[int, bytes, int]],
) -> None:
    content = changed = made()
    for at, new, dropped in changes:
        changed = changed[:at] + new + changed[at + dropped :]
    if changed == content:
        assert isinstance(verify(changed), Bundle)
    else:
        broken(changed)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 1024, 5000, 10_239])
def test_a_bundle_that_is_cut_off_or_goes_on_is_found(size: int) -> None:
    content = made()
    broken(content[:size])
    broken(content + b"\0" * (size + 1))
    broken(content + content[: size + 1])


def remade(content: bytes, **changed: bytes | None) -> bytes:
    """Another bundle whose hashes of members fit, as who knows the format can make it."""
    members = {**bundle._unpacked(content), **{name.replace("__", "/"): new for name, new in changed.items()}}
    kept = {name: new for name, new in members.items() if new is not None}
    kept = {name.replace("_json", ".json"): new for name, new in kept.items()}
    manifest: dict[str, Any] = json.loads(kept["manifest.json"])
    manifest["members"] = {
        name: sha256(kept[name]).hexdigest() for name in sorted(kept) if not name.startswith("manifest.")
    }
    return bundle._packed({**kept, "manifest.json": json.dumps(manifest).encode()})


def test_who_knows_the_format_still_cannot_change_a_result_or_an_entry() -> None:
    content = made()
    members = bundle._unpacked(content)
    better = members["results/000001-r1.json"].replace(b"llama3", b"llama9")
    assert broken(remade(content, **{"results/000001-r1.json": better})) == (
        "results/000001-r1.json is not the result that entry 4 has"
    )
    entries = members["entries.json"]
    assert broken(remade(content, **{"entries.json": entries.replace(b'"ann"', b'"bob"', 1)})) == (
        "entry 2: its account was changed"
    )
    chain = members["chain.json"].replace(a_chain()[0].body.encode(), b"0" * 64)
    assert broken(remade(content, **{"chain.json": chain})) == (
        "chain.json does not lead to the head of the manifest"
    )
    half = bundle._READ_ENTRIES.dump_json(list(verify(content).entries)[::-1])
    assert broken(remade(content, **{"entries.json": half})) == "entry 4: it stands in another's place"


def test_a_result_that_an_entry_has_may_not_be_missing() -> None:
    assert broken(made(results=RESULTS[:1])) == "entry 5: the result of task 2, revision 1, is missing"


def test_a_result_of_before_the_audit_began_has_no_entry_and_is_told() -> None:
    found = verify(made(a_chain()[:4]))
    assert [(each.task, each.revision) for each in found.unrecorded] == [(2, 1)]


def test_a_bundle_of_a_class_with_a_forgotten_student_verifies() -> None:
    chain = a_chain()
    chain.append(entry(chain, FORGET, "student", {"actor": [], "details": [4]}))
    gone = replace(chain[3], details=Sealed(None, None, chain[3].details.digest))
    chain[3] = gone
    assert verify(made(chain, RESULTS[1:])).entries[1] == gone
    chain.pop()
    assert broken(made(chain, RESULTS[1:])) == (
        "entry 4: its details were deleted, and no order to forget says so"
    )


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE, tarfile.FIFOTYPE])
def test_what_is_no_plain_file_is_refused(kind: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("manifest.json")
        info.type = kind
        tar.addfile(info)
    broken(packed.getvalue())


def test_a_member_that_is_there_twice_is_refused() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("manifest.json"), io.BytesIO())
    assert broken(packed.getvalue()) == "manifest.json is there twice"


def test_an_empty_class_has_a_bundle() -> None:
    assert verify(make("2026-11-27", "introeval 3", [], set(), [], {})).manifest.head == (0, BEGIN)
