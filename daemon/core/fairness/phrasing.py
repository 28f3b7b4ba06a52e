"""The tables of the changes: other words for function words, and what a listener may mishear.

None of them touches a number or a word with content, so that a form that was right stays right.
"""

import re
from collections.abc import Mapping

from daemon.core.content.words import words

FUNCTION_WORDS = frozenset(
    (
        "a an the and or but of in on at to for from with by as into about over after before during since "
        "i me my mine myself we us our you your he him his she her they them their it its this that "
        "that's these those there here who which what when where while until is am are was were be been "
        "being do does did have has had will would can could should may might must not no very really "
        "quite also too so such if because than then just i'm i've i'll i'd it's we're they're don't "
        "doesn't didn't can't won't yes hello hi hey good morning afternoon everyone everybody many much"
    ).split()
)
"""Words without content of their own; a change of phrasing may touch these and no others."""

NON_NATIVE: tuple[tuple[str, str], ...] = (
    (r"\b(?:an?|the) (?=\w)", ""),
    (r"\bhave been\b", "was"),
    (r"\b(?:are|am being)\b", "is"),
    (r"\b(?:at|on)\b", "in"),
    (
        r"\bfor (?=(?:the last |about |over )?(?:\d|two|three|four|five|six|seven|eight|nine|ten|one)\b)",
        "since ",
    ),
    (r"\bmany\b", "much"),
    (r"\bwho\b", "which"),
    (r"\bwould\b", "will"),
    (r"\bthese\b", "this"),
    (r"\bvery\b", "very much"),
)
"""Patterns and what a learner of English often says instead: no article, one preposition for several."""

INFORMAL: tuple[tuple[str, str], ...] = (
    (r"\b(?:hello|good (?:morning|afternoon|evening)|hi)\b(?: (?:everyone|everybody))?", "hey guys"),
    (r"\bmy name is\b", "my name's"),
    (r"\bI am\b", "I'm"),
    (r"\bI have (?=\w+(?:ed|en|wn|ught|come|been)\b)", "I've "),
    (r"\bI will\b", "I'll"),
    (r"\bit is\b", "it's"),
    (r"\b(do|does|did|is|was|are|were|could|would|should|has|have|had) not\b", r"\1n't"),
    (r"\bcannot\b", "can't"),
    (r"\bwant to\b", "wanna"),
    (r"\bgoing to\b", "gonna"),
    (r"\bhave to\b", "gotta"),
    (r"\bbecause\b", "'cause"),
    (r"\b(?:very|really|quite)\b", "super"),
)
"""Patterns and what is said among friends instead."""

OPENERS = ("So, yeah,", "Okay, so", "Yeah,", "Well,", "Right, so", "Anyway,")
"""Words that begin a sentence among friends."""

PADDING = (
    "I would like to say a few words about myself.",
    "This is a short introduction, and it is about me.",
    "There are some things that I would like to mention here.",
    "It is not easy to say everything in such a short time.",
    "So that is a part of it, and there is more to it.",
    "I think that it is good to say this as well.",
    "That is what there is to say about that.",
    "There is a lot that could be said about such things.",
)
"""Sentences that tell nothing."""

FILLERS = ("um", "uh", "er", "you know", "like")
"""Words that fill a pause; `speaking.filler_words` counts each."""

NAMES = (
    ("Aisha", "Rahman"), ("Chinedu", "Okafor"), ("Mei", "Zhang"), ("Dmitri", "Volkov"), ("Fatima", "Benali"),
    ("Santiago", "Quispe"), ("Thandiwe", "Nkosi"), ("Yusuf", "Demir"), ("Linh", "Pham"),
    ("Agnieszka", "Wrona"), ("Ravindra", "Iyer"), ("Salote", "Taufa"),
)  # fmt: skip
"""Invented people from many places."""

MISHEARD: Mapping[str, str] = {
    "a": "the", "the": "a", "an": "and", "and": "in", "in": "and", "of": "have", "have": "of", "is": "his",
    "are": "our", "our": "are", "my": "may", "that": "than", "than": "that", "it": "at", "at": "it",
    "as": "has", "has": "as", "i": "I'd", "am": "an", "on": "own", "with": "width", "they": "day",
    "them": "then", "their": "there", "there": "their", "was": "what's", "were": "where", "where": "were",
    "from": "form", "so": "sow", "by": "buy", "be": "bee", "this": "these", "these": "this", "when": "win",
    "will": "we'll", "but": "bat", "not": "knot", "or": "are", "you": "your", "your": "you", "can": "ken",
    "would": "wood", "which": "witch", "had": "hat", "been": "bin", "after": "actor", "very": "berry",
    "i'm": "aim", "his": "is", "her": "hair", "we": "wee", "me": "may", "if": "off",
}  # fmt: skip
"""Words that are often taken for others that sound alike."""

_SOUNDS = tuple(
    (re.compile(pair[0]), pair[1])
    for pair in (
        ("b", "p"), ("p", "b"), ("d", "t"), ("t", "d"), ("g", "k"), ("k", "g"), ("v", "f"), ("f", "v"),
        ("z", "s"), ("s", "z"), ("m", "n"), ("n", "m"), ("l", "r"), ("r", "l"), ("c", "g"), ("h", "w"),
        ("w", "h"), ("y", "i"), ("j", "ch"), ("q", "k"), ("x", "s"), ("[aeiou]", "u"),
    )
)  # fmt: skip


def misheard(word: str) -> str:
    """A word that sounds like this one, which is of letters and apostrophes, in its case."""
    plain = word.lower()
    heard = MISHEARD.get(plain) or _sounds_like(plain)
    return heard[:1].upper() + heard[1:] if word[0].isupper() and plain != "i'm" else heard


def _sounds_like(word: str) -> str:
    """The word with one sound for another that is spoken alike, and no number; else with one sound more."""
    tried = (sound.sub(other, word, count=1) for sound, other in _SOUNDS)
    return next((heard for heard in tried if heard != word and not words(heard)[0].is_number), f"{word}s")
