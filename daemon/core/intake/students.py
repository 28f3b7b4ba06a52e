"""The student of a file, read from its path below the inbox.

Everything in a path comes from a student. Where a name can be read in two ways, or may be of nobody, the
file is refused with what was read: a wrong person would be graded with no warning.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from daemon.core.intake import kinds, known, vocabulary
from daemon.core.intake.naming import (
    LONGEST_PATH,
    STUDENT_PATTERN,
    Named,
    Refusal,
    Refused,
    is_safe,
    printable,
)
from daemon.core.intake.platforms import SHIPPED, UNDERSCORED

_FEWEST_DIGITS = 2  # of an id that stands without a `_` behind it, or beside other folders
_DATE_DIGITS = 8
_NUMBER_DIGITS = range(5, 13)  # of an id that is only a number: a camera's counter has up to four


_COMPOUND = re.compile(rf"(?:{UNDERSCORED})(?=[_ .(]|$)")
_HEAD = re.compile(r"_| - ")
_COPY = re.compile(r"^(copy of|kopie von|copie de|copia de) ", re.IGNORECASE)
_FULL_NAME = re.compile(r"([A-Z][a-z]+)_([A-Z][a-z]+)(?=_|$)")
_NAME_AND_YEAR = re.compile(r"[A-Za-z]{3,}[-. ]?(19|20)\d\d")
_NO_ROLL = known.NobodyKnown()
_Question = tuple[PurePath, known.KnownStudents]
_NOBODY = "{} names nobody: it is made of words, dates, counters or courses that many files have"


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why no student can be told; `fix` is what to do, if it is not the usual."""

    why: str
    fix: str = ""


class _Enrolled(str):
    """The id of one whom the roster knows."""


class Names:
    """The rules of one lab: its own patterns first, then the shipped ones, then folders and the file's name.

    `student_pattern` is what an id looks like. One that admits none of the usual words decides alone what in
    a name is an id: then no course or date is looked for. Raises re.error.
    """

    def __init__(self, student_pattern: str = STUDENT_PATTERN, patterns: Iterable[str] = ()) -> None:
        self._id = re.compile(student_pattern)
        self._own = [re.compile(pattern) for pattern in patterns]
        self._decides = not vocabulary.admits_words(self._id)
        self._read_now: dict[_Question, Named | Refusal] = {}
        self._read_before: dict[_Question, Named | Refusal] = {}

    def begin_look(self) -> None:
        """Forget what was not read since the look before, or files that are gone were remembered for ever."""
        self._read_before, self._read_now = self._read_now, {}

    def read(self, relative: PurePath, roll: known.KnownStudents = _NO_ROLL) -> Named | Refusal:
        """The student and the file name of a path below the inbox, or why there are none.

        Whom the roster knows has the id that it gives, whatever the rule for ids.
        """
        question = relative, roll
        answer = self._read_now.get(question) or self._read_before.get(question) or self._read(*question)
        self._read_now[question] = answer
        return answer

    def groups(self, relative: PurePath) -> dict[str, str]:
        """What the lab's own pattern for a path says beside the student: its groups `group` and `lab`."""
        path = "/".join(_narrowed(part) for part in relative.parts)
        matches = (pattern.fullmatch(path) for pattern in self._own if len(path) <= LONGEST_PATH)
        found = next((match.groupdict() for match in matches if match and match["student"]), {})
        return {name: printable(found[name]) for name in ("group", "lab") if found.get(name)}

    def lane(self, relative: PurePath) -> str:
        """The student whose turn a path takes; empty where it has none."""
        named = self.read(relative)
        return named.student if isinstance(named, Named) else ""

    def _read(self, relative: PurePath, roll: known.KnownStudents) -> Named | Refusal:
        filename = printable(relative.name)
        kind = kinds.other_kind(relative.name)
        if kinds.is_archive(relative.name):
            fix = "unpack it, and send the recording that is in it, one file for each student"
            return Refusal(Refused.ARCHIVE, f"{filename} is an archive that is not opened; {fix}")
        if kind is not None:
            fix = "send the video or the sound itself, as mp4, mov, mkv, webm or m4a"
            return Refusal(Refused.NO_MEDIA_TYPE, f"{filename} is {kind}, no recording; {fix}")
        student = self._student([_narrowed(part) for part in relative.parts], roll)
        if isinstance(student, str):
            return Named(str(student), filename)
        usual = f"put it into the folder <student>/ or call it <student>_{filename}"
        message = (
            f"{printable(str(relative))} does not name its student: {student.why}; {student.fix or usual}"
        )
        return Refusal(Refused.NO_STUDENT, f"{message}, and send it again")

    def _student(self, parts: Sequence[str], roll: known.KnownStudents) -> str | _Doubt:
        found = self._of_patterns("/".join(parts), roll)
        if found is not None:
            return found if isinstance(found, (_Doubt, _Enrolled)) else self._checked(found)
        folders, stem = parts[:-1], PurePath(parts[-1]).stem
        found = self._of_ids(folders, stem) if self._decides else self._of_folders(folders, stem)
        enrolled = known.of_words(folders, stem, roll)
        students = {entry.student: text for text, entry in enrolled.items()}
        rivals = [folder for folder in folders if folder not in enrolled and self._is_somebody(folder)]
        if students and len(students) + len(rivals) > 1:
            return _either(*students.values(), *rivals)
        if students:
            return _Enrolled(*students)
        return found if isinstance(found, _Doubt) else self._checked(found)

    def _of_patterns(self, path: str, roll: known.KnownStudents) -> str | _Doubt | None:
        """The student by the first pattern that matches; None if none does."""
        if self._own and len(path) > LONGEST_PATH:
            return _Doubt(f"its path has more than {LONGEST_PATH} characters", "shorten the names")
        for pattern in self._own:
            if (match := pattern.fullmatch(path)) and match["student"]:
                entry = roll.find(match["student"]) or known.only(roll.called(match["student"]))
                return match["student"] if entry is None else _Enrolled(entry.student)
        for shipped in SHIPPED:
            if (match := shipped.pattern.search(path)) and (found := _of_platform(match, roll)) is not None:
                return found
        return None

    def _of_ids(self, folders: Sequence[str], stem: str) -> str | _Doubt:
        """The student where the lab's rule for ids decides: the one folder, or the beginning of the name."""
        candidates = [folder for folder in folders if self._is_id(folder)]
        ends = [match.start() for match in re.finditer(r"[\W_]|$", stem)]
        longest = next((stem[:end] for end in reversed(ends) if self._is_id(stem[:end])), None)
        candidates += [longest] if longest else []
        if len({candidate.casefold() for candidate in candidates}) > 1:
            return _either(*candidates)
        if not candidates:
            told = printable(self._id.pattern)
            return _Doubt(f"neither a folder nor the beginning of its name is an id, which matches {told}")
        return candidates[0]

    def _of_folders(self, folders: Sequence[str], stem: str) -> str | _Doubt:
        """The student by the folders, or by the file's name where no folder can be a person.

        1. Folders of words, dates and courses are passed over.
        2. The only folder left, or the only one with a number like an id's, is the student's own.
        3. It is doubtful if the file's name begins with another such number.
        """
        read = {folder: _id_in(folder) for folder in folders if not vocabulary.is_of_nobody(folder)}  # 1
        own = {folder: student for folder, student in read.items() if isinstance(student, str)}
        by_name = _of_name(stem)
        if not own:
            doubts = [doubt for doubt in read.values() if isinstance(doubt, _Doubt)]
            return doubts[0] if doubts and isinstance(by_name, _Doubt) else by_name
        numbered = [student for student in own.values() if _is_numbered(student)]
        if len(numbered) != 1 and len(own) > 1:  # 2
            return _either(*(numbered or own))
        (student,) = numbered or own.values()
        if isinstance(by_name, str) and _HEAD.search(stem) and _is_numbered(by_name):  # 3
            is_rival = not _is_numbered(student) or _shape(student) == _shape(by_name)
            if is_rival and student.casefold() != by_name.casefold():
                return _either(student, by_name)
        return student

    def _is_somebody(self, folder: str) -> bool:
        """Whether a folder that the roster does not know is a student's by its looks."""
        return (
            self._is_id(folder) if self._decides else isinstance(_id_in(folder), str) and _is_numbered(folder)
        )

    def _is_id(self, text: str) -> bool:
        return bool(self._id.fullmatch(text)) and is_safe(text)

    def _checked(self, student: str) -> str | _Doubt:
        """An id that can be one, or which of its characters no id may have."""
        if self._is_id(student):
            return student
        odd = [c for c in dict.fromkeys(student) if not self._id.fullmatch(f"a{c}a")]
        if odd and self._id.fullmatch("aaa"):
            told = ", ".join("the space" if c == " " else f"'{printable(c)}'" for c in odd)
            plain = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode()
            example = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._") or "s060"
            fix = f"use letters, digits, '.', '_' and '-', for example {example}"
            return _Doubt(f"{_quoted(student)} was read, and {told} may not be in a student's id", fix)
        told = f"which begins with a letter or a digit and matches {printable(self._id.pattern)}"
        return _Doubt(f"{_quoted(student)} was read, which is no student's id, {told}")


def _of_platform(match: re.Match[str], roll: known.KnownStudents) -> str | _Doubt | None:
    """The student of a match of a platform's pattern; None if it is none."""
    groups, student = match.groupdict(), match["student"]
    if "word" in groups and vocabulary.is_of_nobody(groups["word"]):
        return None
    name = groups.get("word") or groups.get("name") or ""
    entry = known.of_platform(student, name, roll)
    if isinstance(entry, str):
        return _Doubt(entry, "correct the roster")
    if entry is not None:
        return _Enrolled(entry.student)
    before = groups.get("before", "").rpartition("_")
    if before[1] and not _is_numbered(student) and not vocabulary.is_of_nobody(before[2]):
        return _either(student, f"{before[2]}_{student}")
    return student


def _of_name(stem: str) -> str | _Doubt:
    """The student in a file's name: what stands before the first `_` or ` - `, or all if it is an id."""
    stem = _COPY.sub("", stem)
    if vocabulary.is_of_device(stem) or vocabulary.is_date(stem):
        return _Doubt(_NOBODY.format(_quoted(stem)))
    compound = _COMPOUND.match(stem)
    if compound and not any(map(_is_part_of_no_id, re.split("[_-]", compound[0]))):
        return compound[0]
    head, separator, _ = stem.partition(match[0]) if (match := _HEAD.search(stem)) else (stem, "", "")
    student = _id_in(head or stem)
    if isinstance(student, _Doubt):
        return student
    if not separator and (not _is_alone(student) or _NAME_AND_YEAR.fullmatch(student)):
        return _Doubt(f"{_quoted(stem)} alone is no student's id, and has no '_' behind one")
    if (vocabulary.is_of_nobody(stem) and vocabulary.is_filler(head)) or len(head) == 1:
        return _Doubt(_NOBODY.format(_quoted(stem)))
    full = _FULL_NAME.match(stem)
    if full and not any(map(vocabulary.is_word, full.groups())) and not vocabulary.is_filler(full[2]):
        return _either(full[1], full[0])
    return student


def _id_in(text: str) -> str | _Doubt:
    """The id at the beginning of a text, without the words and dates behind it (`s060-intro (1)`)."""
    if vocabulary.is_of_nobody(text):
        return _Doubt(_NOBODY.format(_quoted(text)))
    parts = vocabulary.chunks(text)
    words = [part for part in parts if vocabulary.is_word(part[0]) or _is_date_at(text, part)]
    if not words:
        return re.sub(r"\s*\(\d+\)$", "", text)
    before = text[: words[0].start()].rstrip(" -_.,([")
    if _is_numbered(before) and not vocabulary.is_of_nobody(before):
        return before
    if words[0] is parts[0] or vocabulary.is_of_nobody(text[words[0].start() :]):
        return _Doubt(f"in {_quoted(text)}, {_quoted(words[0][0])} is of no student")
    return text


def _either(*readings: str) -> _Doubt:
    told = " or of ".join(map(_quoted, dict.fromkeys(readings)))
    return _Doubt(f"it may be of {told}")


def _is_numbered(text: str) -> bool:
    return sum(c.isdigit() for c in text) >= _FEWEST_DIGITS


def _is_alone(student: str) -> bool:
    """Whether a text is an id by itself: letters and a number, or a long number."""
    if student.isdigit():
        return len(student) in _NUMBER_DIGITS
    return _is_numbered(student) and any(c.isalpha() for c in student)


def _is_date_at(text: str, chunk: re.Match[str]) -> bool:
    is_long = len(chunk[0]) >= _DATE_DIGITS and vocabulary.is_date(chunk[0])
    return is_long or vocabulary.begins_with_date(text, chunk.start())


def _is_part_of_no_id(part: str) -> bool:
    if part.isdigit():
        return len(part) >= _DATE_DIGITS and vocabulary.is_date(part)
    return vocabulary.is_month(part) or (vocabulary.is_word(part) and vocabulary.is_word(f"{part}1"))


def _shape(text: str) -> str:
    return re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "a", text))


def _narrowed(text: str) -> str:
    """A text in NFC, with full-width letters and digits as the usual ones, which look alike."""
    if text.isascii():
        return text
    plain = (
        unicodedata.normalize("NFKC", c)
        if unicodedata.decomposition(c).startswith(("<wide>", "<narrow>"))
        else c
        for c in text
    )
    return unicodedata.normalize("NFC", "".join(plain))


def _quoted(text: str) -> str:
    return f"'{printable(text)}'"
