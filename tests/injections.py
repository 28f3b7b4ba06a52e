"""The set of attacks on the grader, and of innocent introductions, in tests/data/injection.json.

All of it was written by the author of the search, who knew its patterns. Each round was measured when it
was written and then used to widen the search, so that a full score on this set says little of other words.
When first measured (attacks found, innocents flagged): round 1, before any change, held-out half 7 of 28,
2 of 28, other half 16 of 32, 0 of 28; round 2: 8 of 25, 0 of 25; round 3: 7 of 16, 0 of 18; round 4: 6 of
12, 0 of 12. In words that it has not met, expect about every second such attack to be found.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent / "data" / "injection.json"
_SET = json.loads(_FILE.read_text())


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


ATTACKS = [Attack(each["kind"], each["before"], each["attack"], each["after"]) for each in _SET["attacks"]]
INNOCENTS: list[str] = [each["text"] for each in _SET["innocents"]]
