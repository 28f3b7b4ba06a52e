"""What crosses the pipe between the daemon and its `driver`: pickled, in the text of a message.

What comes from other machines is looked at first, for another version of this program, and for its size.
"""

import base64
import pickle
from typing import Any

from daemon.cluster.values import NodeAnswer, oddity
from daemon.core.errors import IntroEvalError

_MOST_SHOWN = 500  # characters
_MOST_TOLD = 16 * 1024 * 1024  # bytes; a transcript of an hour has less than one


class MachineGone(Exception):
    """A machine does not answer, or nothing can be made of its answer, or Ray says that it is gone."""


def packed(value: Any) -> str:
    """A value of ours as text."""
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: str) -> Any:
    """The value of a text by `packed`."""
    return pickle.loads(base64.b64decode(text))


def packed_snapshot(told: object) -> str:
    """How a machine is, as text. Raises MachineGone where the daemon could make nothing of it."""
    return _bounded(told, told)


def packed_answer(told: object) -> str:
    """What a machine gave, as text. Raises MachineGone as `packed_snapshot` does."""
    return _bounded(told, getattr(told, "snapshot", None) if isinstance(told, NodeAnswer) else None)


def told_error(cause: BaseException) -> list[str]:
    """The kind and the text of an error on another machine, to be shown and logged here."""
    kind = type(cause).__name__
    if not isinstance(cause, IntroEvalError):  # its text may quote what a student said
        return ["broken", f"the program on its machine failed ({kind}); see the log there"]
    return [kind, one_line(str(cause))]


def one_line(text: str) -> str:
    """A text of another machine that can be shown and logged."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())[:_MOST_SHOWN]


def _bounded(told: object, snapshot: object) -> str:
    if why := oddity(snapshot):
        raise MachineGone(why)
    text = packed(told)
    if len(text) > _MOST_TOLD:  # it would end the link, and with it the work of all machines
        raise MachineGone(f"it answers with more than {_MOST_TOLD // 1024**2} MB")
    return text
