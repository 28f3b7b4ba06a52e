"""The form of a text that the rules search: plain lower-case words, each with its place in the text."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

# Letters of other scripts that look like Latin ones, for the search alone.
_LOOK_ALIKE = str.maketrans(
    "абвгдеёзіїјкмнорстухѕԁԛԝհոսαβγδεικνορτυχωηɡıɑ", "abbrgeeziijkmhopctyxsdqwhnuabydeikvoptuxwngia"
) | {ord("л"): "n", ord("п"): "n", ord("ь"): "b", ord("һ"): "h", ord("ӏ"): "l"}
_FIGURES = str.maketrans("013457@$", "oieastas")
_UNIT = re.compile(r"\b\w(?:[-. ]\w\b){2,}\S*|\S+")  # a word, also one spelt letter by letter
_SPELT = re.compile(r"\b\w(?:[-. ]\w\b){2,}")
_FIGURE_WITHIN = re.compile(r"(?<=[^\W\d])[013457@$](?=[^\W\d])")
_STOP = re.compile(r"[.!?;:,()\"“”{}\[\]#。，！？：；]+(?=\s|$)|[()\"“”{}\[\]#。，！？：；]|^[-–—]+$")
_NO_WORD = re.compile(r"[^\w'|=]+")


@dataclass(frozen=True)
class SearchForm:
    """The words of a text, "|" at each stop, and for each word its span in the text."""

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]

    @cached_property
    def text(self) -> str:
        """The words with single spaces."""
        return " ".join(self.words)

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for word in self.words:
            starts.append(at)
            at += len(word) + 1
        return starts

    def words_at(self, start: int, end: int) -> tuple[int, int]:
        """The first and the end index of the words that the characters `start:end` of `text` touch."""
        return bisect_right(self._starts, start) - 1, bisect_left(self._starts, end)

    def joined(self, others: Sequence["SearchForm"]) -> "SearchForm":
        """This form and those after it as one, without the stops between them."""
        forms = (self, *others)
        return SearchForm(
            tuple(word for form in forms for word in form.words),
            tuple(span for form in forms for span in form.spans),
        )


def on_one_line(text: str) -> str:
    """The visible characters of a text, in their simplest form (NFKC), with single spaces."""
    visible = (
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in unicodedata.normalize("NFKC", text)
        if unicodedata.category(c) not in ("Cf", "Cs", "Co")
    )
    return " ".join("".join(visible).split())


def search_form(visible: str, start: int = 0, end: int | None = None) -> SearchForm:
    """The search form of `visible[start:end]`, a text from `on_one_line`. Spans count in `visible`."""
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for unit in _UNIT.finditer(visible, start, len(visible) if end is None else end):
        for word in _plain(unit.group()).split():
            if word == "|" and (not words or words[-1] == "|"):
                continue
            words.append(word)
            spans.append(unit.span())
    while words and words[-1] == "|":
        words.pop()
        spans.pop()
    return SearchForm(tuple(words), tuple(spans))


def plain_words(text: str) -> str:
    """The search form of a text as one string."""
    return search_form(on_one_line(text)).text


def _plain(unit: str) -> str:
    """One unit: look-alike letters replaced, no accents, no digits for letters, "|" for a stop."""
    decomposed = unicodedata.normalize("NFKD", unit.casefold())
    lower = "".join(c for c in decomposed if not unicodedata.combining(c))
    plain = lower.translate(_LOOK_ALIKE).replace("’", "'").replace("_", " ").replace("|", " ")
    plain = _FIGURE_WITHIN.sub(lambda match: match.group().translate(_FIGURES), plain)
    plain = _SPELT.sub(lambda match: re.sub(r"\W", "", match.group()), plain)
    plain = re.sub(r"(?<=\d)/(?=\d)|^/$", " out of ", plain)
    return _NO_WORD.sub(" ", _STOP.sub(" | ", plain))
