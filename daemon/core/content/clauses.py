"""The clauses of a transcript: of the student or another person, affirmed or denied, goal or fact.

A spoken word alone says little about what was meant: "I do not like football" names no hobby, and
"my brother is a nurse" is no experience of the student.
"""

import re
from dataclasses import dataclass, replace

from daemon.core.content.words import Word, words

_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_CLAUSE = re.compile(
    r"\s*[;:]\s+|,\s+(?=(?:but|and|so|because|which|although|though|while|then|after|before)\b)"
    r"|,?\s+(?=(?:but|although|though|because|while|whereas)\b)"
    r"|,?\s+(?=(?:and|so|then)\s+(?:i|we|my|our|it|he|she|they)\b(?![^,]{0,30} (?:at|in) it\b))"
    r"|,\s+(?=(?:i|we|my|our|he|she|they)\b)"
    r"|,?\s+(?=and (?:also )?(?:want|hope|wish|plan|dream|would)\b)",
    re.IGNORECASE,
)
_CONTINUES = re.compile(r"and (?:also )?(?:want|hope|wish|plan|dream|would)\b", re.IGNORECASE)
_NO = frozenset(
    "no not never dont doesnt didnt cannot cant couldnt wont wouldnt isnt arent wasnt werent havent hasnt "
    "hadnt neither nor none nobody nothing hate hated dislike disliked hardly weakness weaknesses".split()
)
_NO_INDEED = re.compile(
    r"\b(?:not only|not just|no doubt|never (?:get )?tired|(?:can['’]t|cannot|can not) "
    r"(?:stop|live without|wait)|why not|no matter|not to mention)\b",
    re.IGNORECASE,
)
_GOAL = re.compile(
    r"\b(?:want(?:s|ed)? to|would (?:like|love)|['’]d (?:like|love)|hop(?:e|es|ing) (?:to|for|that)|"
    r"wish|dream\w*|goals?|aims?|ambition|plan(?:s|ning)? (?:to|on)|intend|aspir\w*|future|one day|"
    r"someday|will|going to|see myself|look(?:ing)? forward|career|(?<!have )(?<!has )become|target)\b",
    re.IGNORECASE,
)
_WORK = (
    r"(?:i|we) (?:(?!will|would|may|might|can|could)\w+ )?work (?:as|at|in|for|with|on|part|full|every)|"
    r"my (?:job|work|time|training) (?:as|at|in|with)|part[ -]time|trainee|apprentice\w*|worked|managed|"
    r"volunteer(?:ed|ing)?|taught|sold|intern(?:ed|ship)?|employed|trained as"
)
_DONE = re.compile(
    rf"\b(?:{_WORK}|(?:have|has|had) (?!wanted|hoped|wished|dreamed|planned)"
    r"(?:been(?! (?:dream|hop|plan|want))|\w+ed|written|taught|led|built|made|run|taken|done)|"
    r"(?:was|were)(?! (?:always |once )?(?:to|going|hoping|planning|my (?:dream|goal|wish|plan)))|"
    r"(?:i|we) (?:\w+ )?(?:tutor|coach|mentor|teach|train|look after|take care of)|helped|built|wrote|led)\b",
    re.IGNORECASE,
)
_WORKED = re.compile(rf"\b(?:{_WORK})\b", re.IGNORECASE)
_STUDY = re.compile(r"\b(?:stud(?:y|ied|ies|ying)|degree|major|course)\b", re.IGNORECASE)
_LEISURE = re.compile(
    r"\b(?:hobb\w+|(?:free|spare) time|leisure|weekends?|evenings?|enjoy(?:ed)?|fond of|keen on|passion\w*|"
    r"favou?rite|interests?|interested in|prefer|for fun|"
    r"(?:i|we) (?:also |really )?(?:like|love|adore)(?! that\b))\b",
    re.IGNORECASE,
)
_STRENGTH = re.compile(
    r"\b(?:strengths?|strong (?:point|side|suit)s?|(?:good|great|best|excellent|strong|proficient|expert) "
    r"(?:at|in|with)|good (?:listener|leader|communicator|speaker|organi[sz]er)|skill(?:s|ed)?|talent\w*|"
    r"gifted|qualit(?:y|ies)|(?:fast|quick) learner|team player|proud of|never (?:give|miss)|"
    r"hard ?-?working)\b",
    re.IGNORECASE,
)
_QUALITY = re.compile(  # liked rather than claimed, and meant as a strength all the same
    r"\b(?:team\w*|help\w*|solv\w+|learn\w*|lead\w*|communicat\w+|organi[sz]\w+|challeng\w+|responsib\w+|"
    r"work(?:ing)?|teach\w*|patien\w+|honest\w*|reliab\w+|creativ\w+|curio\w+|friendly|disciplin\w+)\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"^(?:(?:and|but|so|because|also|while|then)\s+)*(?:(?:my|our|his|her|the)\s+(?:\w+\s+)?"
    r"(?:father|mother|dad|mom|mum|brother|sister|uncle|aunt|cousin|grandfather|grandmother|grandma|grandpa|parents?|friends?|family|son|"
    r"daughter|husband|wife|boss|neighbou?r|roommate)s?(?:['’]s)?|he|she|they)\b",
    re.IGNORECASE,
)
_SELF = re.compile(r"\b(?:i|i['’]\w+|me|myself|we|us)\b", re.IGNORECASE)
_UNCLEAR = 24  # words: in a longer clause, as without punctuation, nobody knows what a word is about


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. `sentence` is the number of its sentence, `own` says that it is about the student.

    The others say what its words are about; several may be true, or none. `work` is a kind of `done`.
    """

    text: str
    said: tuple[Word, ...]
    sentence: int
    negated: bool
    own: bool
    goal: bool
    done: bool
    work: bool
    study: bool
    leisure: bool
    strength: bool


def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a text, in order."""
    found: list[Clause] = []
    for number, sentence in enumerate(_SENTENCE.split(text.strip())):
        for part in filter(str.strip, _CLAUSE.split(sentence)):
            clause = _clause(part, number)
            if found and _CONTINUES.match(part):
                clause = replace(clause, own=found[-1].own)
            found.append(clause)
    return tuple(found)


def denies(text: str) -> bool:
    """Whether a text denies something."""
    return any(word.key in _NO for word in words(_NO_INDEED.sub(" ", text)))


def _clause(part: str, sentence: int) -> Clause:
    another = _OTHERS.match(part)
    said = tuple(words(part))
    unclear = len(said) > _UNCLEAR

    def about(pattern: re.Pattern[str]) -> bool:
        return unclear or pattern.search(part) is not None

    goal, leisure = about(_GOAL), about(_LEISURE)
    return Clause(
        text=part,
        said=said,
        sentence=sentence,
        negated=denies(part),
        own=another is None or _SELF.search(part, another.end()) is not None,
        goal=goal,
        done=about(_DONE),
        work=about(_WORKED),
        study=not unclear and about(_STUDY),
        leisure=leisure,
        strength=about(_STRENGTH) or (leisure and not goal and about(_QUALITY)),
    )
