"""Words of speech as they can be compared: without case and accents, numbers as figures, by their stem."""

import re
import unicodedata
from dataclasses import dataclass

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_UNITS = {word: number for number, word in enumerate(_SMALL)}
_TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
).split()
_ORDINAL_UNITS = {word: number for number, word in enumerate(_ORDINALS) if number > 2}  # "first" is seldom a number
_IRREGULAR = {
    form: base
    for base, forms in {
        "begin": "began begun", "bring": "brought", "build": "built", "buy": "bought", "do": "did done does",
        "draw": "drew drawn", "drive": "drove driven", "fly": "flew flown", "find": "found", "get": "got gotten",
        "give": "gave given", "go": "went gone goes", "grow": "grew grown", "hold": "held", "keep": "kept",
        "know": "knew known", "lead": "led", "learn": "learnt", "make": "made", "meet": "met", "ride": "rode ridden",
        "run": "ran", "sell": "sold", "sing": "sang sung", "speak": "spoke spoken", "spend": "spent",
        "swim": "swam swum", "take": "took taken", "teach": "taught", "tell": "told", "think": "thought",
        "win": "won", "write": "wrote written", "child": "children", "person": "people",
    }.items()
    for form in forms.split()
}  # fmt: skip
_SUFFIXES = (
    "isation ization ership fulness ability ation osity ised ized ment ness ship able ible ise ize ism ist ate "
    "ied ies ing ive ful ous ian ant ent ers ed er or ly es s y e"
).split()


@dataclass(frozen=True, slots=True)
class Word:
    """One word: `key` is what is compared, `start` and `end` where it stands in the text as it was given.

    A number has its value in figures as its key.
    """

    key: str
    start: int
    end: int
    capital: bool = False

    @property
    def number(self) -> int | None:
        """Its value when it is a number."""
        return int(self.key) if self.key.isdecimal() else None


def words(text: str) -> list[Word]:
    """The words of a text in order, "twenty-one" and "21st" as one word 21."""
    found: list[Word] = []
    tens_open = False
    for match in re.finditer(r"[^\W_]+(?:['’][^\W_]+)*", text):
        plain = _plain(match.group())
        unit = _UNITS.get(plain, _ORDINAL_UNITS.get(plain, {"first": 1, "second": 2}.get(plain) if tens_open else None))
        if tens_open and unit is not None and 0 < unit < 10:
            last = found.pop()
            found.append(Word(str(int(last.key) + unit), last.start, match.end()))
            tens_open = False
            continue
        tens = _TENS.get(plain, _TENS.get(plain.removesuffix("ieth") + "y"))
        value = tens if tens is not None else unit
        figures = re.fullmatch(r"(\d{1,9})(?:st|nd|rd|th|s)?", plain)
        key = figures.group(1).lstrip("0") or "0" if figures else str(value) if value is not None else plain
        found.append(Word(key, match.start(), match.end(), match.group()[0].isupper()))
        tens_open = tens is not None
    return found


def stem(key: str) -> str:
    """A rough English stem: the same for "swimming" and "swim", "patience" and "patient", "led" and "lead"."""
    base = _IRREGULAR.get(key, key)
    if base.endswith(("ence", "ance")) and len(base) > 6:
        base = base[:-2] + "t"
    previous = ""
    while previous != base:
        previous = base
        for suffix in _SUFFIXES:
            if base.endswith(suffix) and len(base) - len(suffix) >= 3:
                base = base.removesuffix(suffix)
                break
    if len(base) > 3 and base[-1] == base[-2]:
        base = base[:-1]
    base = base.replace("z", "s")
    return base[:-1] + "y" if base.endswith("i") else base


def _plain(word: str) -> str:
    """Without case, accents and possessive."""
    folded = unicodedata.normalize("NFKD", word.casefold().replace("’", "'"))
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    return bare.removesuffix("'s").replace("'", "")
