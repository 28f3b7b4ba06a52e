"""What the canary of one stage is held against, and what differs.

A record belongs to a configuration: the stage, the model's configured name, and the rubric's folder. Under
the same name there must be the same model, prompt, parameters and server, and the same answer.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from daemon.core.content.document import DocumentPart

TOLERANCE = 0.1
"""Points by which an expected score may differ: what counts as the same grade for the same words."""

NOTHING_DRIFTED = "nothing of the canary has drifted, so there is nothing to accept"

_WHERE_IT_RUNS = frozenset({"degraded", "device", "compute_type", "runtime", "model", "prompt"})
"""No drift by themselves: they are flags of each result, or told by another key."""
_KNOWN_EARLY = ("prompt_sha256", "schema_sha256", "parameters")
"""The keys of an identity that are known before a model is loaded."""
_MOST_WORDS = 6
_HASH = re.compile(r"[0-9a-f]{64}")


class CanaryRun(DocumentPart):
    """The canary asked once at `at` (epoch seconds), on the local day `day`.

    `identity` is what the answer depends on. `answer` is None when there was no valid one, or in a reference
    whose answer is still to be recorded. `drift` has a line for each difference from the reference. `by` is
    who accepted a reference, None when it was the first.
    """

    identity: dict[str, Any]
    answer: dict[str, Any] | None
    at: float
    day: str
    drift: tuple[str, ...] = ()
    by: str | None = None


class CanaryRecord(DocumentPart):
    """The reference of one configuration and the last run. `pending` are parts of an identity that will drift
    as soon as the stage is asked; who accepts another stage's drift has been shown them.
    """

    reference: CanaryRun | None = None
    last: CanaryRun | None = None
    pending: dict[str, Any] | None = None

    @property
    def drift(self) -> tuple[str, ...]:
        """The differences that keep the class waiting, or will."""
        if self.last is not None and self.last.drift:
            return self.last.drift
        if self.reference is None or self.pending is None:
            return ()
        recorded = self.reference.identity
        return tuple(_differences({**recorded, **self.pending}, recorded))

    def passed(self, day: str, identity: Mapping[str, Any]) -> bool:
        """Whether the canary was asked on this day and with this identity, and nothing drifted."""
        last = self.last
        return last is not None and (last.day, last.identity, last.drift) == (day, identity, ())


def key(stage: str, model: str, rubric: str) -> str:
    """The key of a configuration's record. `rubric` is the folder, empty for the one of the package."""
    return f"canary {stage} {model}" + (f" {rubric}" if rubric else "")


def judged(record: CanaryRecord, run: CanaryRun) -> CanaryRecord:
    """The record after a run. The first one is the reference, and the first valid answer its answer."""
    reference = record.reference
    if reference is None:
        return CanaryRecord(reference=run, last=run)
    drift = tuple(_differences(run.identity, reference.identity))
    if reference.answer is None and not drift:
        reference = reference.model_copy(update={"answer": run.answer})
    elif run.answer is None:
        drift = (*drift, "no valid answer came")
    elif reference.answer is not None:
        drift = (*drift, *_differences(run.answer, reference.answer))
    return CanaryRecord(reference=reference, last=run.model_copy(update={"drift": drift}))


def foreseen(record: CanaryRecord, identity: Mapping[str, Any]) -> CanaryRecord:
    """The record with what is known to drift of a stage that was not asked yet."""
    if record.reference is None:
        return record
    known = {name: identity[name] for name in _KNOWN_EARLY if name in identity}
    recorded = record.reference.identity
    drifts = any(_differences({**recorded, **known}, recorded))
    return record.model_copy(update={"pending": known if drifts else None})


def accepted(record: CanaryRecord, by: str, at: float) -> CanaryRecord:
    """The record with its drift as the new reference; an answer that is not known yet is recorded next."""
    reference, last = record.reference, record.last
    if reference is None or not record.drift:
        return record
    if last is None or not last.drift:
        pending = {**reference.identity, **(record.pending or {})}
        update = {"identity": pending, "answer": None, "at": at, "by": by}
        return CanaryRecord(reference=reference.model_copy(update=update))
    passing = last.model_copy(update={"drift": ()})
    kept = passing.model_copy(update={"at": at, "by": by})
    return CanaryRecord(reference=kept, last=passing if last.answer is not None else None)


def _differences(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    one, other = dict(_leaves(before)), dict(_leaves(now))
    for name in sorted(one.keys() | other.keys()):
        was, came = one.get(name), other.get(name)
        part = name.partition(".")[0]
        if part in _WHERE_IT_RUNS or was == came or (part == "scores" and _near(was, came)):
            continue
        if isinstance(was, str) and isinstance(came, str):
            was, came = _apart(was, came)
        yield f"{name}: {_shown(was)} was recorded, {_shown(came)} came"


def _leaves(value: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in value.items():
        if isinstance(each, Mapping):
            yield from _leaves(each, f"{within}{name}.")
        else:
            yield f"{within}{name}", each


def _near(was: float | None, came: float | None) -> bool:
    return was is not None and came is not None and abs(was - came) <= TOLERANCE


def _apart(was: str, came: str) -> tuple[str, str]:
    """The first words in which two texts differ."""
    one, other = was.split(), came.split()
    for what, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what != "equal":
            return " ".join(one[a : min(b, a + _MOST_WORDS)]), " ".join(other[c : min(d, c + _MOST_WORDS)])
    return was, came


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, str):
        value = value.removeprefix("sha256:")
        return f'"{value[:12] if _HASH.fullmatch(value) else value}"' if value else "nothing"
    return "nothing" if value in (None, [], ()) else str(value)
