"""What a server refuses before a model is asked, in each generation's words."""

import json
import re
from typing import Any

from tests.ollama_server.manner import Manner
from tests.ollama_server.telling import MOST

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_KINDS = {"object", "array", "string", "integer", "number", "boolean", "null"}
_INTEGERS = ("num_ctx", "num_predict", "seed")


class Refused(Exception):
    """The request is answered with this status and error."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises Refused."""
    if not body:
        raise Refused(400, "missing request body")
    try:
        request: Any = json.loads(body.decode(errors="replace"))
    except ValueError as exc:
        cut = body.lstrip().startswith(b"{")
        error = (
            "unexpected EOF" if cut else f"invalid character {chr(body[0])!r} looking for beginning of value"
        )
        raise Refused(400, error) from exc
    if not isinstance(request, dict) or not isinstance(request.get("prompt", ""), str):
        raise Refused(
            400, "json: cannot unmarshal into Go struct field GenerateRequest.prompt of type string"
        )
    return request


def keep_alive(value: Any) -> float:
    """How long to hold the model, in seconds; less than 0 is for ever. Raises Refused."""
    if value is None:
        return 300.0
    if isinstance(value, int | float):
        return float(value)
    found = re.fullmatch(r"(-?[\d.]+)(ms|s|m|h)", value)
    if found:
        return float(found[1]) * _UNITS[found[2]]
    if value == "0":
        return 0.0
    missing = re.fullmatch(r"-?[\d.]+", value)
    raise Refused(400, f'time: {"missing unit in" if missing else "invalid"} duration "{value}"')


def options(request: dict[str, Any]) -> dict[str, Any]:
    """The options of a request. Raises Refused."""
    given: dict[str, Any] = request.get("options") or {}
    for name in _INTEGERS:
        if name in given and not isinstance(given[name], int | float):
            raise Refused(500, f'option "{name}" must be of type integer')
    return given


def top_logprobs(manner: Manner, request: dict[str, Any]) -> None:
    """Refuse what is no number of alternatives. Raises Refused."""
    if manner.top_logprobs and not 0 <= request.get("top_logprobs", 0) <= MOST:
        raise Refused(400, f"top_logprobs must be between 0 and {MOST}")


def schema(manner: Manner, form: Any) -> Any:
    """The schema that an answer is held to, None without one. Raises Refused."""
    if form in (None, "", {}):
        return None
    if form == "json":
        return form
    if not isinstance(form, dict):
        raise Refused(
            500,
            f'invalid format: {json.dumps(json.dumps(form))}; expected "json" or a valid JSON Schema object',
        )
    if (wrong := _wrong(form, form)) is None:
        return form
    if manner.old:
        raise Refused(500, "invalid JSON schema in format")
    message = f"Field 'json_schema': JSON schema conversion failed:\nJSON schema error at #: {wrong}"
    raise Refused(400, _inner(message, "invalid_request_error"))


def too_long(manner: Manner, prompt_tokens: int, num_ctx: int) -> Refused:
    """How a prompt is refused that does not fit, under `truncate: false`."""
    if manner.old:
        return Refused(400, "the input length exceeds the context length")
    size = f"the available context size ({num_ctx} tokens)"
    message = f"request ({prompt_tokens} tokens) exceeds {size}, try increasing it"
    more = {"n_prompt_tokens": prompt_tokens, "n_ctx": num_ctx}
    return Refused(400, _inner(message, "exceed_context_size_error", more))


def cannot_shift() -> Refused:
    """How the newer generation refuses it under `shift: false` alone; the older one says one word."""
    what = "the prompt is longer than the context length currently available to the model"
    return Refused(400, f"{what}; shorten the prompt, adjust the context length in settings, or use another")


def _inner(message: str, kind: str, more: dict[str, Any] | None = None) -> str:
    """The newer generation hands on its runner's JSON, as text."""
    return json.dumps(
        {"error": {"code": 400, "message": message, "type": kind, **(more or {})}}, separators=(",", ":")
    )


def _wrong(part: Any, whole: dict[str, Any]) -> str | None:
    """What can't be used in a schema: a type that there is not, a reference to nothing."""
    if isinstance(part, list):
        return next(filter(None, (_wrong(each, whole) for each in part)), None)
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if isinstance(kind, str) and kind not in _KINDS:
        return f"unrecognized type {kind}"
    target = part.get("$ref")
    if isinstance(target, str) and target.rpartition("/")[2] not in whole.get("$defs", {}):
        return f"cannot resolve {target}"
    inner = [each for key, each in part.items() if key in ("items", "anyOf", "oneOf", "allOf")]
    return _wrong([*inner, *part.get("properties", {}).values()], whole)
