"""What a model would say: an instance of a JSON Schema, with what the transcript in the prompt says."""

import json
import re
from typing import Any

_NUMBERS = {
    word: 10 + place
    for place, word in enumerate(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {f"twenty{gap}{word}": 21 + i for i, word in enumerate("one two three four five".split()) for gap in " -"}
_STOCK = (
    "You speak clearly and are easy to follow.",
    "You give an example of what you did.",
    "Say more about what you want to become.",
    "Tell us about your free time.",
)
_NAMED = r"\b(?i:my name is|i am|i'm) ((?:[A-Z]\w+ ?){1,2})"
_PATTERNS = {
    "name": _NAMED,
    "full_name": _NAMED,
    "hobbies": r"(?i)\bi (?:like|love|enjoy) ([\w ]+)",
    "career_goals": r"(?i)\b(i (?:want|hope|plan) to [\w ]+)",
    "strengths": r"(?i)\b(?:good at|strength is|strengths are) ([\w ]+)",
    "experience": r"(?i)\b(i (?:worked|led|built|have built|did|helped) [\w ]+)",
}
PROSE = "The river was a life-affirming river, a testament to the power of nature. "
_TOKEN = re.compile(r"\s*\S{1,4}|\s+")
_WORD = re.compile(r"\w+|[^\w\s]")


def tokens(text: str) -> list[str]:
    """A text in pieces as long as a model's."""
    return _TOKEN.findall(text)


def count(prompt: str) -> int:
    """About how many tokens a prompt is, with what its template adds."""
    return 9 + len(_WORD.findall(prompt))


def answer(prompt: str, schema: Any) -> str:
    """A whole answer: prose without a schema, else JSON as it is usually laid out."""
    if not schema:
        return PROSE * 40
    if schema == "json":
        return '{\n  "name": "Priya"\n}'
    return json.dumps(instance(schema, _said(prompt)), indent=2)


def _said(prompt: str) -> str:
    """The last transcript of the prompt, or else the prompt."""
    transcripts = re.findall(r"<transcript>(.*?)</transcript>", prompt, re.DOTALL)
    return transcripts[-1] if transcripts else prompt


def instance(schema: dict[str, Any], said: str, key: str = "", place: int = 0) -> Any:
    """What satisfies `schema`, with what was `said` about `key` where something was."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][place % len(schema["enum"])]
    if "anyOf" in schema:
        found = _about(key, said)
        kinds = {each.get("type"): each for each in schema["anyOf"]}
        if found is None and "null" in kinds:
            return None
        return instance(next(each for kind, each in kinds.items() if kind != "null"), said, key)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {name: instance(each, said, name) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return _array(schema, said, key)
    if kind in ("integer", "number"):
        return _number(schema, said, key)
    if kind == "string":
        return _string(schema, said, key, place)
    return kind == "boolean" or None


def _array(schema: dict[str, Any], said: str, key: str) -> list[Any]:
    items = schema.get("items", {})
    least, most = schema.get("minItems", 0), schema.get("maxItems", 5)
    if "enum" in items:
        return [instance(items, said, key, i) for i in range(min(max(least, 1), len(items["enum"]), most))]
    found = _about(key, said)
    if found is not None and least == 0:
        return [str(found)[: items.get("maxLength", 60)]][:most]
    return [instance(items, said, key, i) for i in range(least)]


def _number(schema: dict[str, Any], said: str, key: str) -> int:
    low, high = schema.get("minimum", 0), schema.get("maximum", 100)
    found = _about(key, said)
    wanted = found if isinstance(found, int) else (low + 3 * high) // 4
    return int(min(max(wanted, low), high))


def _string(schema: dict[str, Any], said: str, key: str, place: int) -> str:
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 60))
    found = _about(key, said)
    text = str(found) if found is not None else _STOCK[place % len(_STOCK)] if least else "Priya"
    return (text + " and so on" * least)[: max(least, min(most, len(text)))]


def _about(key: str, said: str) -> str | int | None:
    """What a student says about one thing of the form, in the words that most use."""
    if key == "age":
        words = re.findall("|".join(sorted(_NUMBERS, key=len, reverse=True)) + r"|\b\d{2}\b", said.lower())
        return (int(words[0]) if words[0].isdigit() else _NUMBERS[words[0]]) if words else None
    found = re.search(_PATTERNS[key], said) if key in _PATTERNS else None
    return found.group(1).strip() if found else None
