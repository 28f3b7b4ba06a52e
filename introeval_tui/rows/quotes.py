"""The transcript with the sentences marked that the scores rest on. Pure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from daemon.contracts.wire.scores import CRITERIA
from introeval_tui.rows.cells import Piece, Row, clean, fit, row, wrap

LETTERS = dict(zip(CRITERIA, "olcf", strict=True))
"""The key of each criterion, which also marks its quote."""
QUOTED = "bold underline"
_HEAD = len(" 00:00.0 ")
_MARKS = len("olcf ")

Json = Mapping[str, Any]


class _Span(NamedTuple):
    """A part of the whole text, and the letters of the criteria that quote it."""

    begin: int
    end: int
    letters: str


def marked_rows(result: Json, width: int) -> list[Row]:
    """The transcript by its segments, with their times; before a line the letters of its quotes."""
    transcript = result.get("transcript") or {}
    segments = transcript.get("segments") or []
    if not segments:
        said = str(transcript.get("text") or "nothing was heard")
        return [row(width, (f" {line}", "")) for line in wrap(said, max(10, width - 2))]
    texts = [" ".join(clean(str(segment.get("text", ""))).split()) for segment in segments]
    spans = _spans(result, segments, texts)
    rows: list[Row] = []
    begin = 0
    for segment, text in zip(segments, texts, strict=True):
        rows += _segment(text, begin, _moment(segment.get("start_s")), spans, width)
        begin += len(text) + 1
    return rows


def _moment(start: object) -> str:
    return f"{start // 60:02.0f}:{start % 60:04.1f}" if isinstance(start, int | float) else ""


def _segment(text: str, begin: int, head: str, spans: Sequence[_Span], width: int) -> list[Row]:
    rows: list[Row] = []
    at = 0
    for number, line in enumerate(wrap(text, max(10, width - _HEAD - _MARKS - 1))):
        at = max(at, text.find(line, at))
        first, last = begin + at, begin + at + len(line)
        marks = "".join(span.letters for span in spans if first <= span.begin < last)
        rows.append(
            row(
                width,
                (fit(f" {head if number == 0 else ''}", _HEAD), "dim"),
                (fit(marks, _MARKS), "bold cyan"),
                *_pieces(line, first, spans),
            )
        )
        at += len(line)
    return rows


def _pieces(line: str, first: int, spans: Sequence[_Span]) -> list[Piece]:
    """A line in pieces, cut where a quote begins or ends."""
    last = first + len(line)
    cuts = {first, last} | {cut for span in spans for cut in span[:2] if first < cut < last}
    places = sorted(cuts)
    pieces: list[Piece] = []
    for begin, end in pairwise(places):
        quoted = any(span.begin <= begin and end <= span.end for span in spans)
        pieces.append((line[begin - first : end - first], QUOTED if quoted else ""))
    return pieces


def _spans(result: Json, segments: Sequence[Json], texts: Sequence[str]) -> list[_Span]:
    """Where each quote stands in the whole text: by its words, else by its seconds; equal ones together."""
    whole = " ".join(texts)
    folded = whole.lower()
    found: dict[tuple[int, int], str] = {}
    for name, quote in _quotes(result):
        words = " ".join(clean(str(quote.get("quote") or "")).split()).lower()
        at = folded.find(words) if words and len(folded) == len(whole) else -1
        place = (at, at + len(words)) if at >= 0 else _by_time(quote, segments, texts)
        if place is not None:
            found[place] = found.get(place, "") + LETTERS.get(name, "")
    return [_Span(*place, letters) for place, letters in sorted(found.items())]


def _quotes(result: Json) -> list[tuple[str, Json]]:
    evaluation = result.get("evaluation") or {}
    scores = evaluation.get("scores") or {}
    found = [(name, scores[name]["quote"]) for name in CRITERIA if (scores.get(name) or {}).get("quote")]
    return found or [("", quote) for quote in evaluation.get("evidence") or []]


def _by_time(quote: Json, segments: Sequence[Json], texts: Sequence[str]) -> tuple[int, int] | None:
    start, end = quote.get("start_s"), quote.get("end_s")
    if start is None or end is None:
        return None
    at, places = 0, []
    for segment, text in zip(segments, texts, strict=True):
        if segment["start_s"] < end and start < segment["end_s"]:
            places.append((at, at + len(text)))
        at += len(text) + 1
    return (places[0][0], places[-1][1]) if places else None
