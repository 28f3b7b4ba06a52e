"""The check of a template before it is used: its names, all its branches, and the student's words once.

A template that fails in a branch that is rarely taken would fail in the middle of a class.
"""

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import jinja2
import jinja2.meta
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from daemon.core.content.levels import LEVELS_IN_WORDS

PromptName = Literal["extract", "rate"]
Question = Literal["confidence", "rating", "feedback"]

ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True
)
# Two students would be asked differently, and no hash would say so.
del ENVIRONMENT.filters["random"], ENVIRONMENT.globals["lipsum"]

_SAID = (
    "the words of the student, without those that address the grader; for `rate` a sentence a line, each "
    "after its number, which the answer names as its quote"
)
VARIABLES: Mapping[PromptName, Mapping[str, str]] = {
    "extract": {
        "transcript": _SAID,
        "complaint": "why the last answer to this prompt was not valid, or None at the first question",
        "to_the_grader": "False where the form is asked for, True where it is asked which sentences speak to "
        "the grader",
    },
    "rate": {
        "transcript": _SAID,
        "levels": "the scale of every score, as in: 1 to 9; a template must use it",
        "question": "what is asked: 'confidence' for the confidence alone, then 'rating' for the other "
        "scores, then 'feedback' for the words to the student",
        "scores": "the scores that were given, as one line of JSON; None but where the feedback is asked for",
        "complaint": "why the last answer to this prompt was not valid, or None at the first question",
        "speaking": "the delivery in words: pace, pauses and filler words; None where the "
        "question is to be answered from the words alone",
        "profile": "the form as one line of JSON, or a sentence that there is none",
    },
}
"""The variables of each template, with their content."""

WORDS = 'I\'m Mira & I said: "I like chess" <often>.'
DELIVERY = "usual pace, usual pauses, no long pause, few filler words"
FORM = (
    '{"name": "Mira", "age": null, "hobbies": ["chess"], "career_goals": null, "strengths": [], '
    '"experience": null}'
)
SCORES = '{"confidence_level": 6, "clarity_of_speech": 7, "content_quality": 5, "overall_rating": 6}'
NO_FORM = "none, since no valid form could be read"
HELLO = "Hello."
_NO_SCALE = (
    "line 1: it does not use {{ levels }}, so the model does not know the scale of the scores; say, for "
    "example: Scores are whole numbers from {{ levels }}"
)
_LONG = " ".join(f"{WORDS} {n}" for n in range(400))  # as long as the longest videos'
_TRIALS: Mapping[str, tuple[Any, ...]] = {
    "transcript": (WORDS, _LONG, HELLO),
    "complaint": (None, "age: Input should be a valid integer"),
    "to_the_grader": (False, True),
    "levels": (LEVELS_IN_WORDS,),
    "question": ("rating", "confidence", "feedback"),
    "scores": (None, SCORES),
    "speaking": (DELIVERY, None),
    "profile": (FORM, NO_FORM),
}
RAISED = (
    *(
        jinja2.TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ),
)
"""The errors of a template's expressions."""

_Conditional = nodes.If | nodes.CondExpr
_Decisions = dict[int, bool]  # the truth of a template's conditionals, by their position


def make(source: str) -> tuple[jinja2.Template, frozenset[str]]:
    """A template without faults, and the names of the variables in it."""
    return ENVIRONMENT.from_string(source), _named(ENVIRONMENT.parse(source))


def faults(name: PromptName, source: str) -> list[str]:
    """The reasons why a template can't be used, each with its line; none for a good one."""
    try:
        tree = ENVIRONMENT.parse(source)
        unknown = _named(tree) - VARIABLES[name].keys()
        if unknown:
            return _unknown(tree, name, unknown)
        as_used = _fault_as_used(name, tree)
        found = [*([as_used] if as_used else []), *_faults_of_branches(name, tree)]
        if name == "rate" and "levels" not in _named(tree):
            found.append(_NO_SCALE)
        return list(dict.fromkeys(found))
    except jinja2.TemplateSyntaxError as exc:
        return [f"line {exc.lineno}: {exc.message}"]


def _named(tree: nodes.Template) -> frozenset[str]:
    return frozenset(jinja2.meta.find_undeclared_variables(tree)) - ENVIRONMENT.globals.keys()


def _unknown(tree: nodes.Template, name: PromptName, unknown: frozenset[str]) -> list[str]:
    first: dict[str, int] = {}
    for node in tree.find_all(nodes.Name):
        if node.name in unknown and node.ctx == "load":
            first.setdefault(node.name, node.lineno)
    may = ", ".join(sorted(VARIABLES[name]))
    return [
        f"line {line}: {each} is not a variable of {name}; it may name {may}" for each, line in first.items()
    ]


def _fault_as_used(name: PromptName, tree: nodes.Template) -> str | None:
    """The first fault with values as a class gives them."""
    template = ENVIRONMENT.from_string(copy.deepcopy(tree))
    for values in _values(name):
        try:
            count = template.render(values).count(values["transcript"])
        except RAISED as exc:
            return told(exc)
        if count != 1 and values["transcript"] != HELLO:  # which a template may have for itself
            long = " when they are long" if values["transcript"] != WORDS else ""
            retried = " when the question is asked again" if values["complaint"] else ""
            return (
                f"{{{{ transcript }}}} gives the student's words {count} times{long}{retried}; "
                "give them once, unchanged"
            )
    return None


def _faults_of_branches(name: PromptName, tree: nodes.Template) -> Iterator[str]:
    """The branches that can be rendered with no values at all."""
    order = {id(node): at for at, node in enumerate(_conditionals(tree))}
    for decisions in _paths(tree, order, {}):
        forced = copy.deepcopy(tree)
        for at, node in enumerate(_conditionals(forced)):
            if at in decisions:
                node.test = nodes.Const(decisions[at])
        template, complaint = ENVIRONMENT.from_string(forced), None
        for values in _values(name):
            try:
                template.render(values)
            except RAISED as exc:
                complaint = told(exc)
            else:
                break
        else:
            assert complaint is not None
            yield complaint


def _paths(node: nodes.Node, order: Mapping[int, int], taken: _Decisions) -> Iterator[_Decisions]:
    """The decisions that lead into each branch of a template."""
    if isinstance(node, nodes.If | nodes.CondExpr):
        at = order[id(node)]
        yield (into := {**taken, at: True})
        for inner in node.body if isinstance(node, nodes.If) else [node.expr1]:
            yield from _paths(inner, order, into)
        yield (past := {**taken, at: False})
        if isinstance(node, nodes.CondExpr):
            others: list[nodes.Expr] | list[nodes.Node] = [node.expr2] if node.expr2 else []
        else:
            for other in node.elif_:
                yield from _paths(other, order, past)
                past = {**past, order[id(other)]: False}
            others = node.else_
        for inner in others:
            yield from _paths(inner, order, past)
    else:
        for child in node.iter_child_nodes():
            yield from _paths(child, order, taken)


def _conditionals(tree: nodes.Template) -> list[_Conditional]:
    return list(tree.find_all((nodes.If, nodes.CondExpr)))


def _values(name: PromptName) -> Iterator[dict[str, Any]]:
    """Every combination of the trial values."""
    names = list(VARIABLES[name])
    for chosen in itertools.product(*(_TRIALS[each] for each in names)):
        yield dict(zip(names, chosen, strict=True))


def told(error: Exception) -> str:
    """The error with the template's line."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return f"line {line}: {error}" if line else str(error)
