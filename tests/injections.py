"""The sets of words that address the grader, and of those that do not, in tests/data.

`injection.json` is the tuning set: its attacks and innocents were used to write the rules, so that a score on
it says little of other words. `innocents.json` and `grader_attacks.json` have two halves: the rules may be
changed by what is seen on `development`; `held_out` was written apart and is only measured. Whoever changes
a rule because of a held-out text moves that text to `development` and writes a new one.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Half = Literal["development", "held_out"]

_DATA = Path(__file__).parent / "data"


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


def _rows(name: str, half: Half) -> list[dict[str, Any]]:
    return [row for row in json.loads((_DATA / name).read_text()) if row["half"] == half]


_TUNING = json.loads((_DATA / "injection.json").read_text())
ATTACKS = [Attack(each["kind"], each["before"], each["attack"], each["after"]) for each in _TUNING["attacks"]]
TUNING_INNOCENTS: list[str] = [each["text"] for each in _TUNING["innocents"]]
