"""The candidates for the word at the cursor; of task ids and students, if the daemon is quick."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.cli.common import Chosen, configuration
from daemon.cli.completion import FILES
from daemon.cli.declare import Parameter, parameters
from daemon.cli.table import ROWS, Row
from daemon.core.errors import IntroEvalError

_QUICK_S = 0.5
_MOST = 100
_PLAIN = re.compile(r"[\w.@+-]+")  # what no shell takes apart

Candidate = tuple[str, str]


def candidates(words: Sequence[str], shared: Sequence[Parameter]) -> list[Candidate]:
    """What the last word may become, each with what it means. `words` follow `introeval`."""
    *before, word = [each for each in words[:-1] if each != "="] + ["" if words[-1] == "=" else words[-1]]
    row, before = _command(before)
    params = [*(parameters(row.load()) if row else ()), *shared]
    flags = {param.flag: param for param in params if param.flag}
    pending, arguments = _state(before, flags)
    name, equals, value = word.partition("=")
    if pending:
        found = list(_values(pending, row))
    elif equals and name in flags:
        found, word = list(_values(flags[name], row)), value
        return [(f"{name}={each}", told) for each, told in _matching(found, word)]
    elif word.startswith("-"):
        unused = [param for flag, param in flags.items() if param.many or flag not in before]
        found = [(param.flag, param.declared.help) for param in unused]
    elif row is None:
        found = list(_commands(arguments))
    else:
        places = [param for param in params if not param.flag]
        at = min(len(arguments), len(places) - 1)
        taken = at >= 0 and (at == len(arguments) or places[at].many)
        found = list(_values(places[at], row)) if taken else []
    return _matching(found, word)


def _matching(found: Sequence[Candidate], word: str) -> list[Candidate]:
    return [each for each in found if each[0].startswith(word) or each[0] == FILES]


def _command(words: Sequence[str]) -> tuple[Row | None, list[str]]:
    """The command among the words, and the words without its name."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "--config" and words[at + 1 : at + 2]:
            Chosen.file = Path(words[at + 1])
            at += 1
        at += 1
    for count in (2, 1):
        if row := ROWS.get(" ".join(words[at : at + count])):
            return row, [*words[:at], *words[at + count :]]
    return None, list(words)


def _state(words: Sequence[str], flags: dict[str, Parameter]) -> tuple[Parameter | None, list[str]]:
    """The option whose value comes next, and the arguments so far."""
    pending: Parameter | None = None
    arguments: list[str] = []
    for word in words:
        if pending is not None:
            if pending.flag == "--config":
                Chosen.file = Path(word)
            pending = None
        elif word.startswith("-"):
            param = flags.get(word)
            pending = param if param and param.kind is not bool else None
        else:
            arguments.append(word)
    return pending, arguments


def _commands(words: Sequence[str]) -> Iterator[Candidate]:
    """The first words of all commands, or the second ones after a first."""
    seen = set()
    for row in ROWS.values():
        parts = row.name.split()
        if list(words) == parts[: len(words)] and len(parts) > len(words):
            word = parts[len(words)]
            if word not in seen:
                seen.add(word)
                yield word, row.summary if len(parts) == len(words) + 1 else ""


def _values(param: Parameter, row: Row | None) -> Iterator[Candidate]:
    if param.kind is Path:
        yield FILES, ""
    yield from ((choice, "") for choice in param.choices)
    try:
        if param.declared.complete == "models":
            yield from _models()
        elif param.declared.complete:
            for value, told in _of_daemon(param.declared.complete, row.name if row else ""):
                if _PLAIN.fullmatch(value):
                    yield value, told
    except IntroEvalError:
        return


def _models() -> Iterator[Candidate]:
    from daemon.models import CATALOG

    yield from ((asset.shown, asset.what) for asset in CATALOG.values())


def _of_daemon(what: str, verb: str) -> Iterator[Candidate]:
    """The newest tasks that take the verb, or their students."""
    from daemon.api import client
    from daemon.contracts.wire.states import state_word
    from daemon.contracts.wire.words import Verb

    answer = client.get(configuration().paths.socket, "/tasks", patience_s=_QUICK_S, limit=_MOST)
    if what == "students":
        yield from ((student, "") for student in dict.fromkeys(line["student"] for line in answer["tasks"]))
        return
    for line in answer["tasks"]:
        if verb not in list(Verb) or verb in line.get("can", [verb]):
            yield str(line["id"]), f"{line['student']}, {state_word(line['status'], line['outcome'])}"
