"""The name that was heard against the roster, for names of many cultures as Whisper heard them."""

import json
import random
from pathlib import Path

import pytest

from daemon.core.classes.heard_name import HeardName, latin_words, on_roster
from daemon.core.classes.roster import Roster, RosterEntry
from daemon.store.heard_names import likeness

HEARD: list[tuple[str, str]] = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "heard_names.json").read_text(encoding="utf-8")
)
TUNED, HELD_OUT = HEARD[::2], HEARD[1::2]
CLASS = 25


def shares(some: list[tuple[str, str]]) -> tuple[float, float, float]:
    """In classes of 25, the shares of names that count as the student's own: of those that the student said,
    that another said, and that another said who has a first or a last name in common.
    """
    own: list[bool] = []
    others: list[bool] = []
    related: list[bool] = []
    shuffled = list(some)
    random.Random(3).shuffle(shuffled)
    for first in range(0, len(shuffled), CLASS):
        members = shuffled[first : first + CLASS]
        entries = [RosterEntry(student=f"s{at}", name=name) for at, (name, _) in enumerate(members)]
        roster = Roster(entries)
        for name, heard in members:
            for entry in entries:
                same = not on_roster(heard, entry, roster, likeness).differs
                common = {*latin_words(name)} & {*latin_words(entry.name)}
                (own if entry.name == name else related if common else others).append(same)
    return share(own), share(others), share(related)


def share(some: list[bool]) -> float:
    return sum(some) / max(1, len(some))


@pytest.mark.parametrize("some", [TUNED, HELD_OUT], ids=["tuned", "held out"])
def test_another_name_is_told_from_ones_own_that_was_misheard(some: list[tuple[str, str]]) -> None:
    own, others, related = shares(some)
    assert own >= 0.7
    assert others <= 0.03
    assert related <= 0.15


ROSTER = Roster(
    [
        RosterEntry(student="s1", name="Zoë Müller"),
        RosterEntry(student="s2", name="Björn Åkerlund"),
        RosterEntry(student="s3", name="Siobhán O'Sullivan"),
        RosterEntry(student="s4", name="王芳"),
        RosterEntry(student="s5", name="Zoe Miller"),
    ]
)


@pytest.mark.parametrize(
    ("student", "heard", "expected"),
    [
        ("s2", "Bjorn Ackerland", HeardName("Björn Åkerlund", differs=False)),
        ("s2", "Bjorn", HeardName("Björn", differs=False)),
        ("s2", "Akerlund Bjorn", HeardName("Björn Åkerlund", differs=False)),
        ("s3", "Shivawn Osullivan", HeardName("Siobhán O'Sullivan", differs=False)),
        ("s2", "Zoe Muller", HeardName("Zoe Muller", differs=True)),
        ("s1", "Zoe Muller", HeardName("Zoë Müller", differs=False)),
        ("s4", "Wang Fang", HeardName("Wang Fang", differs=False)),
        ("s1", "王芳", HeardName("王芳", differs=False)),
        ("s1", "...", HeardName("...", differs=False)),
    ],
)
def test_a_name_is_spelled_as_on_the_roster_where_it_is_the_same(
    student: str, heard: str, expected: HeardName
) -> None:
    own = ROSTER.find(student)
    assert own is not None
    assert on_roster(heard, own, ROSTER, likeness) == expected
