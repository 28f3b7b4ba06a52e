"""Text that came from a student, before it stands in a prompt: made harmless, and searched for orders.

A prompt's control tokens are obeyed wherever they stand (seen on two servers), so they are broken. A
sentence that is found to tell the grader what to do is flagged, and a person decides; the models are not
shown it, so that it can't raise a rating. Not every such sentence is found (see tests/injections.py).
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from daemon.core.document import Flag
from daemon.core.orders import order_in

_CONTROL_TOKEN = re.compile(
    r"(?<!<)(?<!< )(?:< ?)++(?=[|/])|<(?=[<\w])|(?<=\|)>|"
    r"\[(?=/?[a-z]?[A-Z_]{2,}\])|#(?=##)|(?<=#)#|`(?=``)|(?<=`)`"
)
_SOUND = re.compile(r"\[(?:MUSIC|APPLAUSE|LAUGHTER|NOISE|SILENCE|INAUDIBLE|BLANK_AUDIO|SOUND)\]")
_SENTENCE_END = re.compile(r"(?<=[.!?…。])\s+|(?<=[.!?…。][\"'”’)}])\s+")
_SHORT = 5  # words of a sentence that may be a part of one that was cut in pieces
_PIECES = 4  # of such a one
_DETAIL = 160  # letters of a flag

# Letters of other scripts that look like Latin ones, for the search alone.
_LOOK_ALIKE = str.maketrans(
    "абвгдеёзіїјкмнорстухѕԁԛԝհոսαβγδεικνορτυχωηɡıɑ", "abbrgeeziijkmhopctyxsdqwhnuabydeikvoptuxwngia"
) | {ord("л"): "n", ord("п"): "n", ord("ь"): "b", ord("һ"): "h", ord("ӏ"): "l"}
_FIGURES = str.maketrans("013457@$", "oieastas")


def neutralise(text: str) -> str:
    """The text on one line with its control tokens broken, so that it is words to any model.

    Also what only looks like a token after Unicode normalisation, and invisible characters that would
    split a word for a reader but not for the search.
    """
    return " ".join(_CONTROL_TOKEN.sub(_broken, _on_one_line(text)).split())


def addresses_evaluator(text: str) -> Flag | None:
    """A flag with the words that address the grader rather than the listener, or None."""
    found = _read(text).found
    return None if found is None else Flag(code="addresses_evaluator", field="transcript", detail=found)


def impartial(text: str) -> str:
    """The text as the models may see it: neutralised, without the sentences that address the grader.

    So a student who adds such a sentence is rated by the very prompt of one who does not; where it stands
    within another sentence, that one is not rated. May be empty.
    """
    return _read(text).rest


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was found in a text, and what is left of it."""

    found: str | None
    rest: str


@lru_cache(maxsize=64)  # both models' stages ask of the same transcript, each twice
def _read(text: str) -> _Reading:
    sentences = _SENTENCE_END.split(_on_one_line(text))
    left_out: set[int] = set()
    details: list[str] = []
    for first, last, found in _addressing(sentences):
        left_out |= set(range(first, last))
        details.append(neutralise(found))
    rest = " ".join(sentence for i, sentence in enumerate(sentences) if i not in left_out)
    return _Reading(details[0][:_DETAIL] if details else None, neutralise(rest))


def searchable(sentence: str) -> str:
    """A sentence as it can be searched: letters by their look, lower case, "|" at each stop within it."""
    lower = "".join(
        c
        for c in unicodedata.normalize("NFKD", neutralise(sentence).casefold())
        if not unicodedata.combining(c)
    )
    plain = lower.translate(_LOOK_ALIKE).replace("’", "'").replace("_", " ")
    plain = re.sub(r"(?<=[^\W\d])[013457@$](?=[^\W\d])", lambda m: m.group().translate(_FIGURES), plain)
    plain = re.sub(r"\b\w(?:[-. ]\w\b){2,}", lambda m: re.sub(r"\W", "", m.group()), plain)
    plain = re.sub(r"(?<=\d) ?/ ?(?=\d)", " out of ", plain)
    stops = re.sub(r"[.!?;:,()\"“”{}\[\]#]+(?=\s|$)|[()\"“”{}\[\]#]| [-–—]+ ", " | ", plain)
    spaced = " ".join(re.sub(r"[^\w'|=]+", " ", stops).split())
    return re.sub(r"\|(?: \|)+", "|", spaced).strip("| ")


def _addressing(sentences: list[str]) -> Iterator[tuple[int, int, str]]:
    """Which sentences, from first to before last, address the grader, and by which words."""
    plain = [searchable(sentence) for sentence in sentences]
    alone = {i for i in range(len(plain)) if (_token_in(sentences[i]) or order_in(plain[i]))}
    for i in sorted(alone):
        yield i, i + 1, _token_in(sentences[i]) or order_in(plain[i]) or ""
    short = [i not in alone and len(each.split()) <= _SHORT for i, each in enumerate(plain)]
    for first in range(len(plain)):
        for last in range(first + 2, min(first + _PIECES, len(plain)) + 1):
            if not all(short[first:last]):
                break
            if found := order_in(" ".join(plain[first:last])):
                yield first, last, found
                break


def _token_in(sentence: str) -> str | None:
    token = _CONTROL_TOKEN.search(_SOUND.sub("", sentence))
    return sentence[max(0, token.start() - 20) : token.end() + 40] if token else None


def _on_one_line(text: str) -> str:
    """What of a text a reader sees, by its simplest characters, with single spaces."""
    visible = (
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in unicodedata.normalize("NFKC", text)
        if unicodedata.category(c) not in ("Cf", "Cs", "Co")
    )
    return " ".join("".join(visible).split())


def _broken(token: re.Match[str]) -> str:
    if token.string[token.end() : token.end() + 1] in ("|", "/"):
        return " "  # a space within "</" alone would leave it a delimiter to a model's eye
    return " >" if token.group() == ">" else f"{token.group()} "
