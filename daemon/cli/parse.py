"""Reads the words of a command line. Options and arguments may be mixed; after `--` all are arguments."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from daemon.cli.declare import Parameter
from daemon.core.errors import UsageError


def split(params: Sequence[Parameter], words: Sequence[str]) -> dict[str, list[str]]:
    """The words of each parameter that was given, by its name; of a flag an empty one. Raises UsageError."""
    flags = {param.flag: param for param in params if param.flag}
    given: dict[str, list[str]] = {}
    arguments: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            arguments += left
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        flag, equals, value = word.partition("=")
        if (param := flags.get("--help" if flag == "-h" else flag)) is None:
            raise UsageError(f"there is no option {flag}{nearest(flag, flags)}")
        if param.kind is bool and equals:
            raise UsageError(f"{flag} takes no value")
        taken = [value] if equals or param.kind is bool else []
        while len(taken) < param.size and param.kind is not bool:
            if not left:
                raise UsageError(f"{flag} needs a value: {flag} {param.metavar}")
            taken.append(left.pop(0))
        given.setdefault(param.name, []).extend(taken)
    return given | _placed([param for param in params if not param.flag], arguments)


def _placed(params: Sequence[Parameter], words: list[str]) -> dict[str, list[str]]:
    placed: dict[str, list[str]] = {}
    for param in params:
        taken = words if param.many else words[:1]
        words = words[len(taken) :]
        if taken:
            placed[param.name] = taken
    if words:
        raise UsageError(f"there is an argument too many: {words[0]!r}")
    return placed


def values(params: Sequence[Parameter], given: dict[str, list[str]]) -> dict[str, Any]:
    """The arguments of the command's function. Raises UsageError."""
    return {param.name: _value(param, given.get(param.name, [])) for param in params}


def _value(param: Parameter, words: Sequence[str]) -> Any:
    if not words:
        if param.required:
            raise UsageError(f"{param.shown} is missing")
        return param.default
    if param.kind is bool:
        return True
    found = [_converted(param, word) for word in words]
    if param.size > 1:
        return tuple(found[-param.size :])
    return found if param.many else found[-1]


def _converted(param: Parameter, word: str) -> Any:
    if param.choices and word not in param.choices:
        hint = nearest(word, param.choices) or f"; it takes: {', '.join(param.choices)}"
        raise UsageError(f"{param.shown} cannot be {word!r}{hint}")
    try:
        value = param.kind(word)
    except ValueError:
        number = "whole number" if param.kind is int else "number"
        raise UsageError(f"{param.shown} must be a {number}, not {word!r}") from None
    least, most = param.declared.min, param.declared.max
    if least is not None and not value >= least:
        raise UsageError(f"{param.shown} must be at least {least:g}, not {word}")
    if most is not None and not value <= most:
        raise UsageError(f"{param.shown} must be at most {most:g}, not {word}")
    return value


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` for a near miss, else nothing."""
    close = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {close[0]}?)" if close else ""
