"""A student's text before it is put into a prompt: neutralised, and searched for words to the grader.

A prompt's control tokens are obeyed wherever they stand (seen on two servers), so they are broken. Words that
certainly address the grader are flagged and cut from the text that the models see; words that may be meant
otherwise are only flagged. Most indirect address of the grader is not found.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from daemon.core.content.document import Flag
from daemon.core.grader.address import GraderAddress, findings
from daemon.core.grader.search_form import on_one_line

_CONTROL_TOKEN = re.compile(
    r"(?<!<)(?<!< )(?:< ?)++(?=[|/])|<(?=[<\w])|(?<=\|)>|"
    r"\[(?=/?[a-z]?[A-Z_]{2,}\])|#(?=##)|(?<=#)#|`(?=``)|(?<=`)`"
)
_DETAIL = 1000  # characters of a flag's detail; further findings are only counted


def neutralise(text: str) -> str:
    """The text on one line with its control tokens broken, so that any model reads it as words.

    This includes what looks like a token after Unicode normalisation, and invisible characters that would
    split a word for a reader but not for the search.
    """
    return " ".join(_CONTROL_TOKEN.sub(_broken, on_one_line(text)).split())


def addresses_evaluator(text: str) -> Flag | None:
    """A flag with each rule that found words to the grader, or None.

    The detail has the rule's id, whether the words were cut from what the models see, and the words.
    """
    detail = _read(text).detail
    return Flag(code="addresses_evaluator", field="transcript", detail=detail) if detail else None


def impartial(text: str) -> str:
    """The text as the models may see it: neutralised, without the words that certainly address the grader.

    It may be empty.
    """
    return _read(text).rest


@dataclass(frozen=True, slots=True)
class _Reading:
    """The result of a search: the flag's detail, empty without findings, and the text for the models."""

    detail: str
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
    return _Reading(_detail(found), neutralise(" ".join(rest)))


def _detail(found: tuple[GraderAddress, ...]) -> str:
    """The findings for a reviewer, as far as there is room, and the number of the others."""
    parts: list[str] = []
    for number, finding in enumerate(found):
        cut = "cut" if finding.cut else "not cut"
        parts.append(f'{" + ".join(finding.rules)} ({cut}): "{neutralise(finding.words)}"')
        if sum(map(len, parts)) > _DETAIL and number + 1 < len(found):
            return "; ".join([*parts, f"and {len(found) - number - 1} more"])
    return "; ".join(parts)


def _broken(token: re.Match[str]) -> str:
    if token.string[token.end() : token.end() + 1] in ("|", "/"):
        return " "  # with a space within it, a model still reads "</" as a delimiter
    return " >" if token.group() == ">" else f"{token.group()} "
