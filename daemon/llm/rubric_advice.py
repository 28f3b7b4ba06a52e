"""What makes a template weak, as far as that is certain: it can be used all the same."""

import re

from daemon.core.content.answers import FormAnswer
from daemon.core.content.document import CRITERIA
from daemon.llm.prompts import Prompt
from daemon.llm.template_check import DELIVERY, FORM, VARIABLES, WORDS

_EXPLAINED = {"extract": tuple(FormAnswer.model_fields), "rate": CRITERIA}
_UNUSED = {
    "complaint": "a repeated question does not say what was wrong with the last answer",
    "speaking": "the rater knows nothing of pace, pauses and filler words",
    "profile": "the rater does not see the form",
    "to_the_grader": "the model is not asked which sentences speak to the grader; only rules look for them",
    "question": "the model is not told whether it is asked for the confidence, the rest or the feedback",
    "scores": "the feedback is written without knowing the scores",
}
_DELIMITED = re.compile(rf"<(\w+)>\s*{re.escape(WORDS)}\s*</\1>")


def advice(prompt: Prompt) -> list[str]:
    """A line for each weakness."""
    text = prompt.render(WORDS, speaking=DELIVERY, profile=FORM, question="rating")
    before, *after = re.split("|".join(map(re.escape, (WORDS, DELIVERY, FORM))), text)
    late = sum(map(len, after))
    may = VARIABLES[prompt.name].keys()
    lines = []
    if late > len(before):
        lines.append(
            f"{late} of its {late + len(before)} fixed characters come after what differs by student, "
            "so the server reads them anew for each; put what is the same for all first"
        )
    if not _DELIMITED.search(text):
        lines.append(
            "the student's words do not stand between tags such as <transcript> and </transcript>, "
            "so a model cannot tell where they end"
        )
    if unexplained := [key for key in _EXPLAINED[prompt.name] if key not in text]:
        lines.append(f"it does not name {', '.join(unexplained)}, which the answer must give")
    lines += [
        f"it does not use {name}: {lost}" for name, lost in _UNUSED.items() if name in may - prompt.names
    ]
    return lines
