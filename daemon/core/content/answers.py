"""The models' answers: the schemas that guide their decoding, and the reading of a whole answer.

The schemas are flat, with no `$ref` and no pattern, every key required and everything bounded: servers
silently ignore a keyword that they can't convert, and an unbounded number has run to 17 digits. Keys are
decoded in the schema's order, so that evidence and reasons come before the scores that rest on them.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.core.content.document import Profile
from daemon.core.content.sentences import sentences, steady, telling

FORM_TOKENS = 400
"""More than the longest form that its schema allows, at about 3.5 characters a token."""

FORM_CHARS = 1200
"""The same in characters, as the rater is shown it."""

RATING_TOKENS = 520
"""The same for a rating."""


_NOTHING_SAID = frozenset(
    {"", "null", "none", "n/a", "na", "unknown"}
    | {f"not {verb}" for verb in "said stated mentioned given".split()}
)
_LIST_MARK = re.compile(r"^(?:[-*•] ?|\d{1,2}[.)] )")

ShortText = Annotated[str, Field(max_length=60)]
LongText = Annotated[str, Field(max_length=160)]


class AnswerModel(BaseModel):
    """Base of the answers: only the keys of the schema, with its types."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema that decoding is held to, without titles and descriptions."""
        schema = cls.model_json_schema()
        properties = {key: _without_title(value) for key, value in schema["properties"].items()}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse an answer; white space around it is allowed. Raises ValidationError."""
        return cls.model_validate_json(text.strip())


class FormAnswer(AnswerModel):
    """The form as the extractor gives it. A value that was not said is null or an empty list."""

    name: ShortText | None
    age: Annotated[int, Field(ge=5, le=110)] | None
    hobbies: Annotated[list[ShortText], Field(max_length=5)]
    career_goals: LongText | None
    strengths: Annotated[list[ShortText], Field(max_length=5)]
    experience: LongText | None

    def profile(self) -> Profile:
        """The form without empty phrases and duplicates."""
        return Profile(
            name=_said(self.name),
            age=self.age,
            hobbies=distinct(self.hobbies),
            career_goals=_said(self.career_goals),
            strengths=distinct(self.strengths),
            experience=_said(self.experience),
        )


class GraderAnswer(AnswerModel):
    """The sentences that speak to whoever grades; the first few, which are enough to have a person look."""

    to_the_grader: Annotated[list[str], Field(max_length=3)]

    @classmethod
    def schema_for(cls, transcript: str) -> dict[str, Any]:
        """The schema of an answer about this transcript: only its telling sentences, word for word."""
        said = sentences(transcript)
        schema = cls.json_schema()
        items = dict.fromkeys(steady(said[number - 1]) for number in telling(said))
        schema["properties"]["to_the_grader"]["items"] = {"type": "string", "enum": list(items)}
        return schema

    def said_in(self, transcript: str) -> tuple[str, ...]:
        """The sentences of the transcript that are named, each once, as they were written."""
        return tuple(
            sentence
            for sentence in dict.fromkeys(sentences(transcript))
            if steady(sentence) in self.to_the_grader or sentence in self.to_the_grader
        )


def complaint(error: ValidationError) -> str:
    """The errors of an answer, in words for the model: places and rules, without its text."""
    faults = []
    for each in error.errors(include_url=False, include_context=False, include_input=False)[:4]:
        place = ".".join(str(part) for part in each["loc"])
        rule = "the answer is not one whole JSON object" if each["type"] == "json_invalid" else each["msg"]
        faults.append(f"{place}: {rule}" if place else rule)
    return "; ".join(faults)


def _without_title(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _without_title(value) for key, value in schema.items() if key not in ("title", "description")
        }
    if isinstance(schema, list):
        return [_without_title(value) for value in schema]
    return schema


def _said(text: str | None) -> str | None:
    trimmed = _LIST_MARK.sub("", " ".join((text or "").split()))
    return None if trimmed.casefold().rstrip(".") in _NOTHING_SAID else trimmed


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """The non-empty texts, each once whatever its case, in order."""
    said = [trimmed for text in texts if (trimmed := _said(text))]
    return tuple(
        {text.casefold(): text for text in reversed(said)}[key]
        for key in dict.fromkeys(map(str.casefold, said))
    )
