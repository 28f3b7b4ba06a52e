"""The tree of typed errors, and the fault that an attempt at a stage can end with.

IntroEvalError
├── UsageError            the command line cannot be read
├── ConfigError           the configuration cannot be used
├── AlreadyRunning        another daemon owns the state folder
├── RehearsalRefused      a class is open, so its engines are not free for a rehearsal
├── NotRunning            no daemon answers on the control socket
├── UnknownTask           no task has this id
├── UnknownStudent        nothing is stored of this student
├── NotForgotten          a forgotten student is still named somewhere
├── NotAllowed            the user may not change things
├── Crowded               too many connections to the control socket are open
├── Stopping              the daemon is stopping, or starting anew in place
├── RecordUnreadable      a file holds no recorded decisions
├── AuditBroken           the audit or a bundle of it is not as it was written
├── Paused                a pause holds, and nobody is there to end it
├── IllegalTransition     the event is not allowed in the task's status
├── ModelError            a model is unknown, damaged or cannot be fetched
├── StoreError            the database cannot be read or written
├── PlaceError            the inbox or the outbox is away, or is another folder than the known one
├── DeliveryError         the outbox cannot be written now
├── EngineError           an engine did not start, prove ready, answer or stop
├── NodeGone              the machine of a node is gone
├── NotSettled            the scheduler's rules contradict each other
├── LogUnreadable         a log cannot be read
├── CannotForget          a file of a student cannot be deleted or searched
├── BackupError           a backup cannot be made or restored
├── SamplesMissing        the sample clips are not installed
└── ExclusionError        the node was asked for work of a group that is not loaded

Each message is one line: the cause, and after a semicolon what to do. `exit_code` is that of the command
line. `two_parts` takes such a line apart.
A bad attempt is never raised out of a node: it is a `Fault`, a value.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_FIX = re.compile(
    "; (?=(?:to [a-z ]+, |if [^;]+, |then )?(?:add|ask|check|compare|copy|correct|create|delete|end|export"
    "|fetch|find|fix|free|give|install|log|look|lower|make|mount|move|name|open|pull|put|raise|reload|remove"
    "|rename|restart|restore|run|see|set|start|stop|unmount|update|use|wait)\\b)"
)


class IntroEvalError(Exception):
    """Base of all errors that we raise on purpose."""

    exit_code = 1


class UsageError(IntroEvalError):
    """The command line names no command, or an option or value that the command does not take."""

    exit_code = 64


class ConfigError(IntroEvalError):
    """The configuration cannot be used as it is."""

    exit_code = 4


class AlreadyRunning(IntroEvalError):
    """Another daemon owns this state folder."""

    exit_code = 5


class RehearsalRefused(IntroEvalError):
    """A class or a task is open, so the engines are not free for a rehearsal."""

    exit_code = 30


class NotRunning(IntroEvalError):
    """No daemon answers on the control socket."""

    exit_code = 6


class UnknownTask(IntroEvalError):
    """No task has this id."""

    exit_code = 7


class UnknownStudent(IntroEvalError):
    """Nothing is stored of this student."""

    exit_code = 12


class UnknownClass(IntroEvalError):
    """There is no class of this name."""

    exit_code = 24


class NotForgotten(IntroEvalError):
    """All that can be deleted of a student was, and something still names them."""

    exit_code = 15


class ModelError(IntroEvalError):
    """A model is unknown, its bytes are not the pinned ones, or it cannot be fetched."""

    exit_code = 8


class NotAllowed(IntroEvalError):
    """This user may not change things, or not read what it takes."""

    exit_code = 11


class Crowded(IntroEvalError):
    """Too many connections to the control socket are open, or too many of this user's."""

    exit_code = 14


class Stopping(IntroEvalError):
    """The daemon is stopping, or starting anew with another configuration; nothing was changed."""

    exit_code = 16

    def __init__(
        self, message: str = "the daemon is stopping or starting anew; ask again once it runs"
    ) -> None:
        super().__init__(message)


class Paused(IntroEvalError):
    """A pause of an earlier run holds, so that nothing would ever start."""

    exit_code = 13


class RecordUnreadable(IntroEvalError):
    """A file holds no recorded decisions, or is damaged."""

    exit_code = 17


class AuditBroken(IntroEvalError):
    """The audit, or a bundle of it, is not as it was written."""

    exit_code = 27


class IllegalTransition(IntroEvalError):
    """The event is not allowed in this status; nothing was changed."""

    exit_code = 9


class StoreError(IntroEvalError):
    """The database cannot be read or written."""

    exit_code = 10


class PlaceError(IntroEvalError):
    """The inbox or the outbox is away, or is another folder than the known one; it is not used."""

    exit_code = 18


class DeliveryError(IntroEvalError):
    """The outbox cannot be written now; delivery is retried."""

    exit_code = 19


class EngineError(IntroEvalError):
    """An engine did not start, prove ready, answer, or stop."""

    exit_code = 20


class CanaryDrifted(EngineError):
    """An engine gave another answer to a known question than was recorded, or is another engine."""


class NodeGone(IntroEvalError):
    """The machine of a node is gone, or does not answer; what it had in hand may have run."""

    exit_code = 31


class NotSettled(IntroEvalError):
    """The scheduler asks for more again and again at one moment: its rules contradict each other."""

    exit_code = 32


class LogUnreadable(IntroEvalError):
    """A log exists and can't be read."""

    exit_code = 21


class CannotForget(IntroEvalError):
    """A file of the student could not be deleted or searched. Forgetting again continues from there."""

    exit_code = 22


class BackupError(IntroEvalError):
    """A backup cannot be made, is damaged, or cannot be restored here; nothing was changed."""

    exit_code = 29


class SamplesMissing(IntroEvalError):
    """The sample clips, which come with the program, are not there."""

    exit_code = 23


class ExclusionError(IntroEvalError):
    """The node was asked for work of a group that is not loaded; that is a fault of this program."""

    exit_code = 70


class Blame(StrEnum):
    """The party blamed for a failed attempt, which decides what follows."""

    TASK = "task"  # counted against the task, retried with backoff
    ENGINE = "engine"  # the group rests, not counted against the task
    PERMANENT = "permanent"  # the task fails at once: a retry can't help


@dataclass(frozen=True, slots=True)
class Fault:
    """The cause of a failed attempt.

    `code` is a stable identifier for tools, `message` one line for people. `died` says that the
    engine's process ended or hung with the task in hand, which makes the task a suspect; `begun` is false
    if the engine had not begun with it.
    """

    blame: Blame
    code: str
    message: str
    died: bool = False
    begun: bool = True


def two_parts(line: str) -> tuple[str, str]:
    """The cause and the fix in the line of an error; the fix is empty in one that says nothing to do."""
    cause, *fix = _FIX.split(line, maxsplit=1)
    return cause, fix[0] if fix else ""
