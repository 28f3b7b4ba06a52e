"""The exit codes of the commands: outcomes that are no errors, and the errors by their types."""

from collections.abc import Iterator
from enum import IntEnum

from daemon.core.errors import IntroEvalError


class ExitCode(IntEnum):
    """An outcome that is no error. Errors have the code of their type, and none of these."""

    DONE = 0
    NO = 1
    UNFINISHED = 2
    SOME_FAILED = 3
    INTERRUPTED = 130  # as a shell reports SIGINT
    UNREAD = 141  # as a shell reports SIGPIPE


MEANINGS = {
    ExitCode.DONE: "Done; of `run --once` and `wait`: every task was delivered, and none failed.",
    ExitCode.NO: "The answer is no: `doctor` found a problem, a replayed decision differs, `fairness` "
    "found the rater not fit for grades, `rehearse` did not keep the plan, `calibrate` got no scores, a "
    "question was answered with no. Also an error without a code of its own.",
    ExitCode.UNFINISHED: "`run --once` could not finish; `wait`: files in the inbox are not claimed.",
    ExitCode.SOME_FAILED: "`run --once` and `wait`: finished, but tasks failed; of `run --once` also: files "
    "were refused; `export` and `report --students`: something was held back, or not found in the sheet.",
    ExitCode.INTERRUPTED: "Ended by ctrl+c.",
    ExitCode.UNREAD: "Whoever read the output has closed it, as `head` does.",
}


def meanings() -> Iterator[tuple[int, str, str]]:
    """Each code with its meaning and the error that has it, in order. Knows the errors that are imported."""
    found = [(int(code), text, "") for code, text in MEANINGS.items()]
    found += [(each.exit_code, summary(each), each.__name__) for each in with_own_code(IntroEvalError)]
    yield from sorted(found)


def with_own_code(kind: type[IntroEvalError]) -> Iterator[type[IntroEvalError]]:
    """The errors below `kind` that do not share the code of the one above them."""
    for each in kind.__subclasses__():
        if "exit_code" in vars(each):
            yield each
        yield from with_own_code(each)


def summary(kind: type[IntroEvalError]) -> str:
    """The first sentence of the docstring, on one line."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())
