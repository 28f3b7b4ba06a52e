"""Spoken words in comparable form: without case and accents, numbers as figures, and by their stem."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_CARDINALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBERS = {
    **{word: number for words in (_CARDINALS, _ORDINALS) for number, word in enumerate(words)},
    **{word: 10 * number for number, word in enumerate(_TENS, 2)},
    **{word[:-1] + "ieth": 10 * number for number, word in enumerate(_TENS, 2)},
}
_FIGURES = re.compile(r"(\d{1,9})(?:st|nd|rd|th|s)?")
_FORMS = (
    "begin began begun; bring brought; build built; buy bought; do did done; draw drew drawn; drive drove "
    "driven; fly flew flown; find found; get got gotten; give gave given; go went gone; grow grew grown; "
    "hold held; keep kept; know knew known; lead led; learn learnt; make made; meet met; ride rode "
    "ridden; run ran; sell sold; sing sang sung; speak spoke spoken; spend spent; swim swam swum; take "
    "took taken; teach taught; tell told; think thought; use using; win won; write wrote written; child "
    "children; person people"
)
_IRREGULAR = {form: base for base, *forms in map(str.split, _FORMS.split(";")) for form in forms}
_SUFFIXES = (
    "isation ization ership fulness ability ation osity ised ized ment ness ship able ible ise ize ism ist "
    "ate ied ies ing ive ful ous ian ant ent ers ed er or ly es s y e"
).split()

EMPTY_WORDS = frozenset(
    (
        "a an the and or but of in on at to for from with by as into about over after before during "
        "since i me my mine myself we us our he him his she her hers they them their it its you your "
        "this that those these there here who which what when where while until is am are was were be "
        "been being do does did have has had will would can could should may might must not no very "
        "really quite also too so such more most some any all own other than then just if because out "
        "up down off good great strong skill skills skilled ability able things thing like likes love "
        "loves enjoy enjoys want wants hope hopes worked work working job experience time years year "
        "old free become becoming goal goals career future"
    ).split()
)
"""Words that tell nothing by themselves of what was said."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word. `key` is its comparable form; for a number, its value in figures."""

    key: str
    capital: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.key.isdecimal()


def words(text: str) -> list[Word]:
    """The words of a text in order; "twenty-one" and "21st" are both the one word 21."""
    found: list[Word] = []
    tens: int | None = None  # the value of the last word, while a unit may still follow
    for match in re.finditer(r"[^\W_]+(?:['’][^\W_]+)*", text):
        spoken = match.group()
        plain = _plain(spoken)
        value = _NUMBERS.get(plain)
        if tens is not None and value is not None and 0 < value < 10:
            found[-1] = Word(str(tens + value))
            tens = None
            continue
        figures = _FIGURES.fullmatch(plain)
        if figures:
            found.append(Word(str(int(figures.group(1)))))
        elif value is not None:
            found.append(Word(str(value)))
        else:
            found.append(Word(plain, capital=spoken[0].isupper()))
        tens = value if value is not None and plain in _TENS else None
    return found


def telling_words(said: Sequence[Word]) -> list[Word]:
    """The words with a content; all of them where none has one."""
    return [word for word in said if word.key not in EMPTY_WORDS] or list(said)


def stem(key: str) -> str:
    """A rough English stem, the same for "swimming" and "swim", for "patience" and "patient"."""
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
    if len(base) > 6 and base.endswith(("is", "iz")):
        base = base[:-2]  # "organising" leaves it, "organise" does not
    if len(base) > 3 and base[-1] == base[-2]:
        base = base[:-1]
    base = base.replace("z", "s")
    return base[:-1] + "y" if base.endswith("i") else base


def _plain(word: str) -> str:
    """The word without case, accents and possessive."""
    folded = unicodedata.normalize("NFKD", word.casefold().replace("’", "'"))
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    return bare.removesuffix("'s").replace("'", "")
