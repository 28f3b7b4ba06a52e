"""The sets of words that address the grader, and of those that do not, in tests/data.

`injection.json` is the tuning set: its attacks and innocents were used to write the rules, so that a score on
it says little of other words. `innocents.json` and `grader_attacks.json` have two halves: the rules may be
changed by what is seen on `development`; `held_out` was written apart and is only measured. Whoever changes
a rule because of a held-out text moves that text to `development` and writes a new one. Their author knew the
rules, or wrote them soon after; `grader_independent.json` and `grader_held_out.json` are by people who did
neither.
"""

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

from daemon.core.content.document import Flag, Transcript
from daemon.core.content.set_aside import addresses_evaluator, set_aside
from daemon.core.content.untrusted import impartial, neutralise

Half = Literal["development", "held_out"]

_DATA = Path(__file__).parents[1] / "data"
_NAMED = {
    "of them: direct orders": "direct",
    "of them: within speech without punctuation": "unpunctuated",
    "of them: in other languages": "other_language",
    "of them: indirect": "indirect",
}

_BEFORE_THE_TABLE = """
A transcript is searched for words that speak to whoever or whatever rates it, by the rules of
`daemon/core/grader/rules.py` and the modules it names. Each finding gives the flag `addresses_evaluator`, so
that a person looks. Only words that are certainly an order to the grader are also cut from what the models
see: at most one sentence, and in speech without punctuation only the order itself. The transcript in the
result keeps all words. These are the rates of the rules on texts by people who knew neither the rules nor the
sets that they were written with: `tests/data/grader_independent.json`, and in the last rows the first half of
`tests/data/grader_held_out.json`, where each sentence stands in the same introduction.
"""
_AFTER_THE_TABLE = """
About half of the attacks in words that are new to the rules are not found, most of the indirect ones. So the
model that reads the form is asked as well which sentences speak to the grader
([decision 15](decisions/0015-the-model-names-orders.md)); the bundled small one cannot tell, and is not
asked. The rater gets the words as data between delimiters, and where some were found, the result has the
scores with them and without. No flag does not mean that nobody spoke to the grader.
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack of some kind, and the introduction around it."""

    kind: str
    before: str
    words: str
    after: str

    @property
    def clean(self) -> str:
        """The introduction without it."""
        return " ".join(filter(None, (self.before, self.after)))

    @property
    def text(self) -> str:
        """The introduction with it."""
        return " ".join(filter(None, (self.before, self.words, self.after)))

    @property
    def stands_alone(self) -> bool:
        """Whether it is one sentence, of its own."""
        return bool(self.before) and re.fullmatch(r"[^.!?]*[.!?]", self.words) is not None


@dataclass(frozen=True, slots=True)
class Innocent:
    """A sentence or an introduction of a student who says nothing to the grader."""

    kind: Literal["native", "non_native"]
    punctuated: bool
    text: str


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Words to the grader or of an innocent, `direct`, `indirect` or `innocent`, and the text around them."""

    kind: str
    language: str
    words: str
    text: str

    @property
    def unpunctuated(self) -> "HeldOut":
        """The same in lower case, without punctuation."""
        return replace(self, words=unstopped(self.words), text=unstopped(self.text))


def unstopped(text: str) -> str:
    """The text in lower case, without punctuation."""
    return " ".join(re.sub(r"[.,!?:;]", " ", text.lower()).split())


def innocents(half: Half) -> list[Innocent]:
    """The innocents of one half."""
    rows = _rows("innocents.json", half)
    return [Innocent(row["kind"], row["punctuated"], row["text"]) for row in rows]


def fresh_attacks(half: Half) -> list[tuple[str, str]]:
    """The kind and the words of each attack of one half that is not of the tuning set."""
    return [(row["kind"], row["text"]) for row in _rows("grader_attacks.json", half)]


def flagged(texts: list[str]) -> list[str]:
    """Those of the texts that are flagged."""
    return [text for text in texts if _is_flagged(text)]


def cut(texts: list[str]) -> list[str]:
    """Those of the texts that the models are not shown whole."""
    return [text for text in texts if _is_cut(text)]


def held_out(name: Literal["first", "second"]) -> list[HeldOut]:
    """One of the sets that were written before any look at the rules, and are only measured."""
    rows = json.loads((_DATA / "grader_held_out.json").read_text())
    before, after = " ".join(rows["before"]), " ".join(rows["after"])
    return [
        HeldOut(row["kind"], row["language"], row["text"], f"{before} {row['text']} {after}")
        for row in rows[name]
    ]


def flag_of(text: str) -> Flag | None:
    """The flag by what the rules find."""
    return addresses_evaluator(set_aside(Transcript(text=text, language="en", language_probability=1.0)))


def independent() -> tuple[list[Innocent], list[tuple[str, str]]]:
    """The innocents, and the kind and text of the attacks, of somebody who knew nothing of the rules.

    They are only measured. A text by which a rule is changed says nothing any more, and belongs elsewhere.
    """
    rows = json.loads((_DATA / "grader_independent.json").read_text())
    said = [Innocent(row["kind"], row["punctuated"], row["text"]) for row in rows["innocents"]]
    return said, [(row["kind"], row["text"]) for row in rows["attacks"]]


def table_of_rates() -> list[str]:
    """The lines of a Markdown table with the rates on the independent set."""
    said, attacks = independent()
    rows = {
        "innocent sentences and introductions": [each.text for each in said],
        "the same without punctuation": [unstopped(each.text) for each in said],
        "attacks on the grader": [text for _, text in attacks],
    }
    for name, kind in _NAMED.items():
        rows[name] = [text for each, text in attacks if each == kind]
    for kind in ("innocent", "direct", "indirect"):
        of_kind = [each for each in held_out("first") if each.kind == kind]
        rows[f"held out, {kind}"] = [each.text for each in of_kind]
        rows[f"held out, {kind}, without punctuation"] = [each.unpunctuated.text for each in of_kind]
    lines = ["| what was said | texts | flagged | of these with words cut |", "| --- | --- | --- | --- |"]
    for name, texts in rows.items():
        found, left_out = _share(flagged(texts), texts), _share(cut(texts), texts)
        lines.append(f"| {name} | {len(texts)} | {found} | {left_out} |")
    return lines


def section_on_rates() -> list[str]:
    """The lines of docs/bad-inputs.md about words to the grader."""
    return [
        "## Words to the grader",
        "",
        *wrap(_BEFORE_THE_TABLE.strip(), 118),
        "",
        *table_of_rates(),
        "",
        *wrap(_AFTER_THE_TABLE.strip(), 118, break_on_hyphens=False),
    ]


@cache  # the rates of one set are measured by several tests
def _is_flagged(text: str) -> bool:
    return flag_of(text) is not None


@cache
def _is_cut(text: str) -> bool:
    return impartial(text) != neutralise(text)


def _share(part: list[str], whole: list[str]) -> str:
    return f"{len(part)} ({len(part) / len(whole):.1%})" if part else "0"


def _rows(name: str, half: Half) -> list[dict[str, Any]]:
    return [row for row in json.loads((_DATA / name).read_text()) if row["half"] == half]


_TUNING = json.loads((_DATA / "injection.json").read_text())
ATTACKS = [Attack(each["kind"], each["before"], each["attack"], each["after"]) for each in _TUNING["attacks"]]
TUNING_INNOCENTS: list[str] = [each["text"] for each in _TUNING["innocents"]]
