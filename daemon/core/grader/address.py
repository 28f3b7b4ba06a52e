"""Find the words of a transcript that speak to its grader, and the stretch of them that may be cut.

1. Each sentence is searched by every rule of `daemon.core.grader.rules`; pieces of one that was cut up by
   full stops are also searched together.
2. An order counts where it is given, not where someone tells of it: see `_standing`. What is told of by
   someone else ("my teacher said: give me ...") is flagged where it would be cut, else not at all.
3. In a sentence of at most 25 words the rest of it is cut too, unless that speaks of the student. In a longer
   one, as speech without full stops is, only the words that a rule found are cut.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

from daemon.core.grader.rules import GRADER_RULES, MARKUP_RULES
from daemon.core.grader.search_form import SearchForm, search_form
from daemon.core.grader.terms import Rule

_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|(?<=[.!?…。！？][\"'”’)}])\s+")
_SENTENCE = 25  # words; more than this is speech without full stops
_FIRST_CJK = "\u2e80"
_SHORT = 5  # words; a shorter sentence may be a piece of one that was cut up
_PIECES = 4  # at most, of such a sentence
_BEFORE = 8  # words before a match that show how it is said
_NEAR = 15  # words on both sides of a match in which its rule's `near` must match
_TOGETHER = 2  # words between two findings that are cut with them
_BETWEEN_MARKS = 100  # characters between two marks of a prompt that are cut with them

_SELF = frozenset("i i'm i've i'd i'll im my we our we're".split())
_ASKING = frozenset("please kindly".split())
_OPENING = frozenset("| so then now okay ok um uh but hey well".split())  # an order may begin after these
_ADVERBS = _ASKING | _OPENING | frozenset("just simply also only always usually often really all".split())
_POLITE = frozenset("could would can".split())
_KINDLY = (("kind", "as", "to"), ("kind", "enough", "to"), ("nice", "enough", "to"))
_AUXILIARIES = frozenset(
    "to would could can will did do does don't didn't should must have shall may might never not cannot "
    "can't won't wouldn't dont didnt cant wont let let's".split()
)
_NEGATIONS = frozenset("don't dont not never".split())
_BIDDING = _AUXILIARIES | _ADVERBS | frozenset("want need are required ordered obliged ask beg".split())
_PEOPLE = frozenset(
    "they he she people everyone everybody nobody somebody someone teachers teacher professors "
    "professor judges judge examiners friends friend parents students colleagues customers coaches "
    "classmates users clients guests visitors readers others girls boys kids children lecturers tutors "
    "bosses managers mother father referees reviewers".split()
)
_TELLERS = _PEOPLE | frozenset(
    "i we i'd i'll i've we'd we'll they'd they'll he'd she'd it who which that me him us them when if "
    "where".split()
)
_TELLING = frozenset(
    "said says saying told tells telling asked asks asking shouted shouts shouting prompt prompts wrote "
    "writes written writing example phrase phrases sentence joked jokes praying prayed begged dared "
    "dare thinks thought believes attack attacks injection injections imagined dream dreamed hope hoped "
    "wish wished suppose shows showed called god lord allah advice advise".split()
)
_TELL = frozenset("say tell ask shout write joke pray think believe imagine show call".split())
_DETERMINERS = frozenset("my our the his her their these those every each".split())
# With these words an order is not told of someone, also without a stop before it.
_PLAIN = frozenset("ignore disregard forget override bypass neglect this your".split())
_GRADERS = frozenset("evaluator grader rater ai chatgpt whoever".split())


@dataclass(frozen=True, slots=True)
class _Match:
    """One rule's match in a text, by its place, and whether it is to be cut."""

    rule: str
    span: tuple[int, int]
    cut: bool


@dataclass(frozen=True, slots=True)
class GraderAddress:
    """Words that address the grader, as they were said, with the ids of the rules that found them.

    `span` is their place in the text. `cut`: the models must not see them.
    """

    rules: tuple[str, ...]
    words: str
    span: tuple[int, int]
    cut: bool


class _Standing(Enum):
    """The manner of words: an order to the grader, a report of others' words, or a statement."""

    ORDER = "order"
    TOLD = "told"
    STATEMENT = "statement"


def findings(visible: str) -> tuple[GraderAddress, ...]:
    """All that addresses the grader in a text on one line, by its place in the text.

    Words that are cut together are one finding, so that cuts do not overlap.
    """
    found: list[_Match] = []
    pieces: list[SearchForm] = []
    for start, end in _sentences(visible):
        form = search_form(visible, start, end)
        here = [*_markup_in(visible, start, end), *_found_in(form)]
        if _length(visible[start:end]) <= _SENTENCE:
            here = [_grown(each, visible, start, end) for each in here]
        pieces = [] if here or len(form.words) > _SHORT else [*pieces[1 - _PIECES :], form]
        found += here or _in_pieces(pieces)
    return tuple(_merged(found, visible))


def _merged(found: list[_Match], visible: str) -> Iterator[GraderAddress]:
    """Join each match that lies in a cut, or is cut at most two words after it, to that cut."""
    group: list[_Match] = []
    end = 0
    for each in sorted(found, key=lambda match: (match.span[0], not match.cut, -match.span[1])):
        if group and not _together(group[0], end, each, visible):
            yield _finding(group, end, visible)
            group, end = [], 0
        group.append(each)
        end = max(end, each.span[1])
    if group:
        yield _finding(group, end, visible)


def _together(first: _Match, end: int, second: _Match, visible: str) -> bool:
    """Whether a match belongs to those that begin with `first` and reach to `end`."""
    if second.span[1] <= end and (first.cut or not second.cut):
        return True
    if not (first.cut and second.cut):
        return False
    if second.span[0] <= end:
        return True
    between = visible[end : second.span[0]]
    return len(between.split()) <= _TOGETHER and not _speaks_of_student(between)


def _finding(group: list[_Match], end: int, visible: str) -> GraderAddress:
    span = group[0].span[0], end
    rules = tuple(dict.fromkeys(match.rule for match in group))
    return GraderAddress(rules, visible[slice(*span)], span, group[0].cut)


def _sentences(visible: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in _SENTENCE_END.finditer(visible):
        yield start, end.start()
        start = end.end()
    yield start, len(visible)


def _length(sentence: str) -> int:
    """The number of words; each character of a script without spaces counts as one."""
    return len(sentence.split()) + sum(c >= _FIRST_CJK for c in sentence)


def _markup_in(visible: str, start: int, end: int) -> Iterator[_Match]:
    """Matches of the markup rules. A short text between two matches of one rule belongs to them."""
    for rule in MARKUP_RULES:
        last: _Match | None = None
        for match in rule.pattern.finditer(visible, start, end):
            first = match.start()
            if last is not None and first - last.span[1] <= _BETWEEN_MARKS:
                first = last.span[0]
            elif last is not None:
                yield last
            last = _Match(rule.id, (first, match.end()), rule.cuts)
        if last is not None:
            yield last


def _found_in(form: SearchForm) -> Iterator[_Match]:
    for rule in GRADER_RULES:
        for match in rule.pattern.finditer(form.text):
            first, last = form.words_at(*match.span())
            while last > first and form.words[last - 1] == "|":
                last -= 1
            while first < last and form.words[first] == "|":
                first += 1
            if not _is_near(rule, form.words[max(0, first - _NEAR) : last + _NEAR]):
                continue
            said = _standing(form.words[max(0, first - _BEFORE) : first], form.words[first:last], rule)
            if said is _Standing.STATEMENT or (said is _Standing.TOLD and not rule.cuts):
                continue
            while rule.order and first and form.words[first - 1] in _ASKING:
                first -= 1
            span = form.spans[first][0], form.spans[last - 1][1]
            yield _Match(rule.id, span, rule.cuts and said is _Standing.ORDER)


def _is_near(rule: Rule, around: tuple[str, ...]) -> bool:
    return rule.near is None or rule.near.search(" ".join(around)) is not None


def _in_pieces(pieces: list[SearchForm]) -> list[_Match]:
    """Matches in the last two, three or four short sentences together."""
    for count in range(2, len(pieces) + 1):
        if found := list(_found_in(pieces[-count].joined(pieces[1 - count :]))):
            return found
    return []


def _standing(before: tuple[str, ...], words: tuple[str, ...], rule: Rule) -> _Standing:
    """The manner of the words that a rule found, by those and the words before them."""
    told = _Standing.TOLD if _is_told(before) else _Standing.ORDER
    if not rule.order:
        return told
    last = len(before)
    while last and before[last - 1] in _ADVERBS:
        last -= 1
    passed, before = frozenset(before[last:]), before[:last]
    if _is_asked(before, passed):
        return told
    if _bids_you(before[-4:]):
        return _bidden(before, told)
    if before and before[-1] in _AUXILIARIES | _TELLERS:
        return _Standing.STATEMENT if _GRADERS.isdisjoint(before) else _Standing.TOLD
    opened = not before or not passed.isdisjoint(_OPENING)
    if not _PEOPLE.isdisjoint(before):
        return _Standing.TOLD if opened else _Standing.STATEMENT
    if opened or not _PLAIN.isdisjoint((*before, *words)):
        return told
    # "My school give me full marks": many speak so, and without stops it looks like an order.
    return _Standing.STATEMENT if _DETERMINERS.intersection(before[-2:-1]) else _Standing.TOLD


def _is_asked(before: tuple[str, ...], passed: frozenset[str]) -> bool:
    """Whether the words say please. `passed` are the adverbs allowed between them and the match."""
    if passed & _ASKING or before[-3:] in _KINDLY:
        return True
    return before[-1:] == ("and",) and not _ASKING.isdisjoint(before)


def _bidden(before: tuple[str, ...], told: _Standing) -> _Standing:
    """The manner of words after "you must" and the like."""
    if not _NEGATIONS.isdisjoint(before):
        return _Standing.STATEMENT
    supposed = before[-1] not in _POLITE and not {"if", "when"}.isdisjoint(before[-4:])
    return _Standing.TOLD if supposed or before[-1] == "you" else told


def _bids_you(near: tuple[str, ...]) -> bool:
    """Whether the words end in "you", "you must" or the like; "you know they" and "thank you my" do not."""
    if "you" not in near:
        return False
    after = near[len(near) - near[::-1].index("you") :]
    return _BIDDING.issuperset(after)


def _is_told(before: tuple[str, ...]) -> bool:
    """Whether the words report what others say, write or wish."""
    words = [word for word in before if word not in _ADVERBS]
    return not _TELLING.isdisjoint(words) or any(
        verb in _TELL and who in _TELLERS for who, verb in pairwise(words)
    )


def _grown(match: _Match, visible: str, start: int, end: int) -> _Match:
    """A cut with the rest of the sentence `start:end`, unless that speaks of the student."""
    if not match.cut:
        return match
    first, last = match.span
    if not _speaks_of_student(visible[start:first]):
        first = start
    if not _speaks_of_student(visible[last:end]):
        last = end
    return replace(match, span=(first, last))


def _speaks_of_student(piece: str) -> bool:
    return not _SELF.isdisjoint(search_form(piece).words)
