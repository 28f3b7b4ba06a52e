"""The students of a class with their results, and the rows of another system's table that are theirs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.core.classes.columns import RosterColumn, participant_number
from daemon.core.classes.sheet import TableRow
from daemon.core.classes.standing import Standing, StudentStanding
from daemon.core.content.document import Criterion, Result
from daemon.core.spelling import folded

_KEYS = (RosterColumn.STUDENT, RosterColumn.NUMBER, RosterColumn.LOGIN, RosterColumn.USER, RosterColumn.EMAIL)


@dataclass(frozen=True, slots=True)
class ClassMember:
    """A student of a class, with the result that counts where there is one."""

    standing: StudentStanding
    result: Result | None = None

    @property
    def student(self) -> str:
        """The id."""
        return self.standing.student

    @property
    def name(self) -> str:
        """The name on the roster; empty without one."""
        return self.standing.entry.name if self.standing.entry else ""

    @property
    def released(self) -> bool:
        """Whether the result may leave, and is there."""
        is_rated = self.result is not None and self.result.evaluation is not None
        return is_rated and self.standing.standing is Standing.RELEASED

    def score(self, criterion: Criterion) -> int:
        """A score of the result. Only a member that is released has one for sure."""
        assert self.result is not None
        assert self.result.evaluation is not None
        score: int = getattr(self.result.evaluation, criterion)
        return score


@dataclass(frozen=True, slots=True)
class Note:
    """Something of one student, or of one row, that a person should know. `student` is empty where nobody of
    the class is meant.
    """

    student: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exported:
    """A file for another system: its bytes and whose results are in it. `withheld`: what is not in it, with
    the reasons; `replaced`: what stood there before and is another now.
    """

    content: bytes
    entered: tuple[str, ...]
    withheld: tuple[Note, ...]
    replaced: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class SheetClaim:
    """What a row says of whom it is: keys (a number, an id, an e-mail) and a name."""

    row: TableRow
    keys: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, row: TableRow, columns: Mapping[RosterColumn, int]) -> "SheetClaim":
        """What a row says, with the columns that tell who somebody is."""
        cells = {column: row.cell(at) for column, at in columns.items()}
        keys = [text for column, text in cells.items() if column in _KEYS and text]
        if RosterColumn.PARTICIPANT in cells:
            keys.append(participant_number(cells[RosterColumn.PARTICIPANT]))
        names = (
            (RosterColumn.NAME,) if RosterColumn.NAME in cells else (RosterColumn.FIRST, RosterColumn.LAST)
        )
        return cls(row, tuple(keys), " ".join(cells.get(name, "") for name in names).strip())


def placed(
    claims: Sequence[SheetClaim], members: Sequence[ClassMember]
) -> tuple[dict[int, ClassMember], list[Note]]:
    """The member of each row by its number, and a note for each row that is nobody's or not surely one's.

    1. A key that two members have says nothing.
    2. All keys of a row, and its name where it is a member's, must mean the same member.
    3. A row without a known key is that of the one member with its name.
    4. A member has one row: where two rows are the same member's, neither counts.
    """
    people = _People(members)
    found: dict[int, ClassMember] = {}
    notes: list[Note] = []
    for claim in claims:
        whose = people.find(claim)
        if isinstance(whose, ClassMember):
            found[claim.row.number] = whose
        else:
            notes.append(Note("", claim.name, f"row {claim.row.number}: {whose}"))
    rows = Counter(member.student for member in found.values())
    twice = {number: member for number, member in found.items() if rows[member.student] > 1}
    notes += [
        Note(member.student, member.name, f"row {number}: another row is this student's as well; keep one")
        for number, member in twice.items()
    ]
    return {number: member for number, member in found.items() if number not in twice}, notes


def not_leaving(members: Iterable[ClassMember], in_table: Iterable[ClassMember]) -> list[Note]:
    """A note for each member whose result does not leave: it is held back, or the table has no row for it."""
    there = {member.student for member in in_table}
    notes = []
    for member in members:
        if not member.released:
            notes.append(Note(member.student, member.name, member.standing.held))
        elif member.student not in there:
            notes.append(
                Note(member.student, member.name, "the table has no row that is surely this student's")
            )
    return notes


class _People:
    def __init__(self, members: Sequence[ClassMember]) -> None:
        self._by_key: dict[str, set[int]] = defaultdict(set)
        self._by_name: dict[str, set[int]] = defaultdict(set)
        self._members = members
        for at, member in enumerate(members):
            entry = member.standing.entry
            known = (*entry.aliases, entry.email, entry.email.partition("@")[0]) if entry else ()
            for key in (member.student, *known, *(task.student for task in member.standing.tasks)):
                self._by_key[folded(key)].add(at)
            self._by_name[_words(member.name)].add(at)
        for index in (self._by_key, self._by_name):
            index.pop("", None)

    def find(self, claim: SheetClaim) -> ClassMember | str:
        """The member of a row, or why it is nobody's."""
        keyed = [whose for key in claim.keys if len(whose := self._of(self._by_key, folded(key))) == 1]
        found = set().union(*keyed)
        named = self._of(self._by_name, _words(claim.name))
        if len(found) > 1 or (found and named and not found & named):
            told = ", ".join(sorted(self._members[at].student for at in found | named))
            return f"its id, number, e-mail and name are of different students: {told}"
        if found:
            return self._members[found.pop()]
        if len(named) > 1:
            return "several students of the class have this name, and none its id, number or e-mail"
        if named:
            return self._members[next(iter(named))]
        return "nobody of the class has its id, number, e-mail or name"

    @staticmethod
    def _of(index: Mapping[str, set[int]], key: str) -> set[int]:
        return index.get(key, set())


def _words(name: str) -> str:
    """A name as it is compared: its words in any order, so that "Berg, Ana" is "Ana Berg"."""
    return " ".join(sorted(folded(name).replace(",", " ").split()))
