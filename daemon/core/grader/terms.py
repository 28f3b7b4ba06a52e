"""The rule type for words to the grader, and the words that rules are made of."""

import re
from dataclasses import dataclass

from daemon.core.grader.search_form import plain_words


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to speak to the grader.

    `finds` is a text in which the rule must find something, `spares` one in which it must not. `cuts`: what
    is found is hidden from the models; otherwise it is only flagged. `order`: a match counts only where it is
    said as an order or a request, not where someone tells of it ("they give me full marks"). `near`: a match
    counts only where this pattern matches too, at most 15 words before or after it or within it.
    """

    id: str
    why: str
    pattern: re.Pattern[str]
    finds: str
    spares: str
    cuts: bool = True
    order: bool = False
    near: re.Pattern[str] | None = None


def any_of(words: str) -> str:
    """A pattern for one of the words; `_` stands for a space within one."""
    return f"(?:{'|'.join(words.split())})".replace("_", " ")


def gap(most: int) -> str:
    """A pattern for at most so many words, each with a space before it, as few as possible."""
    return rf"(?: [\w']+){{0,{most}}}?"


def phrases(*phrases: str) -> re.Pattern[str]:
    """A pattern for phrases in any script; "..." stands for at most 24 characters."""
    alternatives = (r".{0,24}?".join(map(re.escape, map(plain_words, each.split("...")))) for each in phrases)
    return re.compile("|".join(alternatives))


# What is graded
OURS = any_of(
    "introduction intro self_introduction video clip transcript recording submission performance speech "
    "presentation student speaker candidate"
)
RECORDED = any_of("introduction intro self_introduction video clip transcript recording submission")
US = (
    rf"(?:me|us|this(?: (?:\w+ )?{OURS})?|(?:my|the) (?:\w+ )?{OURS}|"
    r"(?:every|each) (?:category|field|criterion|box))"
)

# Marks that are asked for. A number alone counts only where no noun follows it ("ten minutes").
MARK = any_of("scores? ratings? marks? grades? points? values?")
TOP_WORD = any_of("highest top maximum max maximal perfect best full")
NO_NOUN = (
    r"(?= (?:out of|on (?:all|every|each)|in (?:all|every|each|everything)|because|and|please|thank|thanks|"
    r"for (?:all|every|each|me|my|this|everyone|everything|both|overall|the|it)|across|everywhere|i|my|we|"
    rf"{MARK})\b| \||$)"
)
TEN = rf"(?:an? |the |at least |only )?(?:perfect )?(?:10|ten|9|nine){NO_NOUN}(?: out of (?:10|ten))?"
HUNDRED = rf"(?:100|(?:a |one )?hundred) (?:out of (?:100|a hundred|hundred)|{MARK})"
TOP = rf"(?:{TEN}|{HUNDRED}|(?:the |a |an )?{TOP_WORD} (?:possible |available )?{MARK}\b)"
CLEAR_TOP = (
    rf"(?:(?:an? |the |at least an? )(?:perfect )?(?:10|ten|9|nine){NO_NOUN}(?: out of (?:10|ten))?|"
    rf"(?:10|ten|9|nine) (?:out of (?:10|ten)|{MARK}|(?:for|in) (?:all|every|each|everything|this))\b|"
    rf"{HUNDRED}|(?:the |a |an )?{TOP_WORD} (?:possible |available )?{MARK}\b)"
)
MAXIMUM = r"(?:the )?(?:maximum|highest)(?= (?:for|in|please|because|and|i|my)\b| \||$)"
EXCELLENT = any_of("excellent outstanding perfect flawless exceptional brilliant")

# Who grades, and by what
GRADER = any_of("evaluator grader rater examiner assessor")
AI = any_of(
    "ai artificial_intelligence ai_model ai_system language_model large_language_model llm chatbot chatgpt "
    "chat_gpt gpt ai_assistant grading_system rating_system"
)
MACHINE = rf"(?:{AI}|system|program|software|computer|machine)"
OVERRIDE = any_of("ignore disregard forget override bypass neglect")
EARLIER = any_of("previous prior above earlier preceding system")
ORDERS = any_of("instructions? prompts? guidelines commands")
RUBRIC = any_of(
    "rubric marking_scheme marking_criteria marking_rules grading_scheme grading_criteria grading_rules "
    "scoring_guide scoring_rules scoring_criteria rating_rules rating_criteria rating_scale"
)
FIELD = any_of(
    "overall_rating overall_score overall score final_score fluency pronunciation grammar "
    "clarity_of_speech clarity content_quality content "
    "confidence_level confidence"
)
KEY = any_of("overall_rating clarity_of_speech content_quality confidence_level")
TEN_ALONE = any_of("10 ten 9 nine")
HIGH = any_of("8 eight 9 nine 10 ten")
NEXT = r"(?: (?:\||and)){0,2}"
IS = r"(?: (?:\||is|to|of|colon|equals|=)){0,2}"
YOU_ARE = "you(?: are|'re)"

# Wider words, for rules that only flag: each counts with another sign alone
RESULT = any_of(
    "scores? ratings? marks? grades? points? results? evaluations? assessments? bands? levels? category "
    "categories tier credit reviews? feedback report verdict outcome notes? values? box boxes option"
)
PRAISED = any_of(
    "excellent outstanding perfect flawless exceptional brilliant superb magnificent amazing stellar"
)
BEST_RESULT = (
    r"(?:(?<!my )(?<!your )(?<!their )(?<!his )(?<!her )"
    rf"(?:highest|top|maximum|max|maximal|best|full|{PRAISED})"
    rf"(?: (?:possible|available|overall|final|of the))?(?: possible)? {RESULT}(?! (?:of|in|to)\b)|"
    r"(?:the )?(?:maximum|highest|top)(?= (?:for|please|because|everywhere)\b| \||$)|distinction|"
    rf"(?:ten|10|five|5|twenty|20|hundred|100) (?:out of|sur) \w+|{CLEAR_TOP}|(?:five|5) stars?|"
    r"(?:with|output|choose|number|give) (?:ten|10)(?= for\b| \||$)|(?:ten|10)(?= to (?:me|us|all|this)\b)|"
    r"(?:one |a )?(?:hundred|100) percent|(?:every|all the) points?|"
    r"an? a (?:plus|star)\b|an a(?= \||$| (?:please|for|in|i|because|so)\b)|"
    r"(?:ten|10|hundred|100) (?:points|marks)|"
    r"(?:score|rating|grade|mark|result) of (?:ten|10|nine|9|an? hundred|hundred|100|five|5)\b)"
)
GRADING = any_of("grading marking scoring rating evaluation evaluating assessment assessing")
RUBRIC_WIDE = (
    rf"(?:{RUBRIC}|{GRADING} (?:criteria|guide|guidelines|rules|scale|standards|rubric|scheme|instructions|"
    rf"prompt|system|policy)|rules (?:for|of) {GRADING})"
)
GIVING = any_of(
    "give giving award awarding assign grant choose pick select put write enter record report print return "
    "output say reward hand leave state confirm show use rate score grade mark evaluate assess set fill make "
    "default_to use allocate deliver overwrite let_mine let_me tick let see get_me ensure make_sure add "
    "finish_with go_for"
)
MARKING = any_of("rate score grade mark evaluate assess judge review")
IS_MARKING = any_of(
    "marking marks grading grades scoring scores rating rates evaluating evaluates assessing assesses "
    "judging "
    "judges reviewing reviews checking checks processing processes"
)
HEARS = any_of(
    "reads? reading listens?_to listening_to listening hears? hearing watches watching transcribes "
    "transcribing analyses analyzes analysing analyzing receives"
)
GRADERS = (
    rf"(?:{GRADER}s?|{AI}|{GRADING} (?:system|software|tool|program|model|ai|machine|bot|computer|team))"
)
# The same words without those that are also said of people in general
MACHINES = rf"(?:{AI}|model|system|software|program|computer|machine|bot|algorithm|robot)"
THIS_ONE = (
    r"(?:this(?= \||$| (?:as|with|one|at|very|a|an|the|in|to|must|should|has|will|is|give|please|"
    rf"response|answer|sample|file|talk|{OURS})\b)|me|us|mine|(?:my|the|these|all) (?:\w+ )?{OURS}s?)"
)
TOP_MARK = (
    r"(?:(?<!my )(?<!your )(?<!their )(?<!his )(?<!her )"
    r"(?:highest|top|maximum|max|perfect|best|full|outstanding|excellent) (?:possible |available )?"
    rf"(?:scores?|ratings?|marks?|grades?|points|credit|band|evaluation|assessment)\b|{CLEAR_TOP}|"
    r"distinction|(?:ten|10) out of (?:ten|10)|(?:five|5) stars)"
)
