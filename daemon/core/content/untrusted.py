"""A student's text before it is put into a prompt: neutralised, and searched for words to the grader.

A prompt's control tokens are obeyed wherever they stand (seen on two servers), so they are broken. Words that
certainly address the grader are flagged and cut from the text that the models see; words that may be meant
otherwise are only flagged. Most indirect address of the grader is not found.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from daemon.core.grader.address import GraderAddress, findings
from daemon.core.grader.search_form import on_one_line

_CONTROL_TOKEN = re.compile(
    r"(?<!<)(?<!< )(?:< ?)++(?=[|/])|<(?=[<\w])|(?<=\|)>|"
    r"\[(?=/?[a-z]?[A-Z_]{2,}\])|#(?=##)|(?<=#)#|`(?=``)|(?<=`)`"
)


def neutralise(text: str) -> str:
    """The text on one line with its control tokens broken, so that any model reads it as words.

    This includes what looks like a token after Unicode normalisation, and invisible characters that would
    split a word for a reader but not for the search.
    """
    return " ".join(_CONTROL_TOKEN.sub(_broken, on_one_line(text)).split())


def to_the_grader(text: str) -> tuple[GraderAddress, ...]:
    """The words that rules found to speak to the grader, in their order."""
    return _read(text).found


def impartial(text: str) -> str:
    """The text as the models may see it: neutralised, without the words that certainly address the grader.

    It may be empty.
    """
    return _read(text).rest


@dataclass(frozen=True, slots=True)
class _Reading:
    """The result of a search: the findings, and the text for the models."""

    found: tuple[GraderAddress, ...]
    rest: str


@lru_cache(maxsize=64)  # both models' stages read the same transcript, each twice
def _read(text: str) -> _Reading:
    visible = on_one_line(text)
    found = findings(visible)
    rest, at = [], 0
    for finding in found:
        if finding.cut:
            rest.append(visible[at : finding.span[0]])
            at = finding.span[1]
    rest.append(visible[at:])
    return _Reading(found, neutralise(" ".join(rest)))


def _broken(token: re.Match[str]) -> str:
    if token.string[token.end() : token.end() + 1] in ("|", "/"):
        return " "  # with a space within it, a model still reads "</" as a delimiter
    return " >" if token.group() == ">" else f"{token.group()} "
