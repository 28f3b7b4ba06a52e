"""The validation of answers of media children.

A video may have taken its child over, so that nothing in an answer can be trusted: not its size, not its
types, not that a number is finite. An answer that has not exactly one of these shapes counts as the death of
its child.
"""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from daemon.contracts.values import Probe, Take
from daemon.core.content.document import Flag
from daemon.core.errors import Blame, Fault
from daemon.system.child import ChildDied

LONGEST = 16 * 1024
"""The most bytes of one answer. The longest valid one, a fault, has a few hundred."""

PASSES = 8
"""The most times that a file is decoded, and the most takes that it has: no camera makes more tracks."""

MOST_SOUND = 2
"""Times the longest recording: where so much of a file was decoded, no further take is begun."""

_MOST_CHARACTERS = 500
_MOST_TRACKS = 10_000  # FFmpeg itself stops at a thousand
# A fault of the engine stops the work on all files, and one of the task is retried for days. So a child may
# blame them only for what it alone can see.
_BLAMES: dict[str, Blame] = {"no_room": Blame.ENGINE, "unreadable": Blame.TASK}


def one_line(text: str) -> str:
    """The text with unprintable characters replaced, cut to the length that an answer may have."""
    return "".join(each if each.isprintable() else "?" for each in text)[:_MOST_CHARACTERS]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has characters that cannot be shown")
    return text


_Code = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
_Line = Annotated[
    str, StringConstraints(min_length=1, max_length=_MOST_CHARACTERS), AfterValidator(_printable)
]
_Seconds = Annotated[float, Field(ge=0)]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class _Ready(_Shape):
    lacks: Annotated[list[_Line], Field(max_length=8)]


class Probed(_Shape):
    """The answer to a probe."""

    duration_s: _Seconds
    audio_codec: _Name
    audio_streams: Annotated[int, Field(ge=1, le=_MOST_TRACKS)]

    @property
    def probe(self) -> Probe:
        """The answer as a Probe."""
        return Probe(self.duration_s, self.audio_codec, self.audio_streams)


class _Flagged(_Shape):
    code: _Code
    detail: _Line


class _Take(_Shape):
    duration_s: _Seconds
    flags: Annotated[list[_Flagged], Field(max_length=8)]


class Sound(_Shape):
    """The answer to a decoding."""

    takes: Annotated[list[_Take], Field(min_length=1, max_length=PASSES)]

    @property
    def duration_s(self) -> float:
        """The duration of the longest take."""
        return max(take.duration_s for take in self.takes)

    @property
    def found(self) -> tuple[Take, ...]:
        """The takes with their flags in the form of the result."""
        return tuple(
            Take(take.duration_s, tuple(Flag(code=flag.code, detail=flag.detail) for flag in take.flags))
            for take in self.takes
        )


class _Blamed(_Shape):
    blame: Literal["task", "engine", "permanent"]
    code: _Code
    message: _Line

    @model_validator(mode="after")
    def _by_the_table(self) -> Self:
        if Blame(self.blame) is not _BLAMES.get(self.code, Blame.PERMANENT):
            raise ValueError("the blame does not belong to the code")
        return self


class _Refusal(_Shape):
    fault: _Blamed


S = TypeVar("S", Probed, Sound)


def lacking(message: dict[str, Any]) -> list[str]:
    """Parse a child's first message: the parts of the cage that this machine lacks. Raises ChildDied."""
    try:
        return _Ready.model_validate(message).lacks
    except ValidationError as exc:
        raise ChildDied("the media decoder did not say that it is ready") from exc


def understood(message: dict[str, Any], shape: type[S], longest_s: float) -> S | Fault:
    """Parse the answer of a media child: a `shape`, or the fault that it found in the file.

    Raises ChildDied if it is neither, or states more than `longest_s` seconds of sound.
    """
    try:
        if "fault" in message:
            fault = _Refusal.model_validate(message).fault
            if fault.code == "no_room" and shape is Probed:
                raise ChildDied("the media decoder reported a full disk for a probe, which writes nothing")
            return Fault(Blame(fault.blame), fault.code, fault.message)
        answer = shape.model_validate(message)
    except ValidationError as exc:
        raise ChildDied("the media decoder gave no valid answer") from exc
    if answer.duration_s > longest_s:
        raise ChildDied("the media decoder reported more sound than a video may have")
    return answer
