"""The options and arguments of a command, declared in the signature of its function and read from there.

    def tasks(limit: Annotated[int, Option(min=1, max=500, help="The most tasks to show.")] = 100) -> None:

A bool is a flag, a list takes more than one value, a tuple has several words, and a StrEnum or a Literal
takes its values. A parameter without a default must be given. An option is named like its parameter, or as
`Option` says.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

_METAVARS: dict[type, str] = {int: "N", float: "X", Path: "PATH", str: "TEXT"}
_SHORT = 30


@dataclass(frozen=True, slots=True)
class Option:
    """An option, `--name`. `complete` names what its values are completed from: see `completion.py`."""

    flag: str = ""
    help: str = ""
    metavar: str = ""
    min: float | None = None
    max: float | None = None
    complete: str = ""


@dataclass(frozen=True, slots=True)
class Argument:
    """A value that is given by its position."""

    metavar: str = ""
    help: str = ""
    min: float | None = None
    max: float | None = None
    complete: str = ""


AsJson = Annotated[bool, Option("--json", help="Print JSON for other programs.")]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One option or argument of a command. `flag` is empty for an argument; `kind` is of one word."""

    name: str
    flag: str
    kind: type
    many: bool
    required: bool
    default: Any
    declared: Option | Argument
    choices: tuple[str, ...] = ()  # empty where it takes others
    size: int = 1  # the words of one value

    @property
    def metavar(self) -> str:
        """The value in the help: `N`, `age|queue`; empty for a flag."""
        if self.kind is bool:
            return ""
        if self.declared.metavar:
            return self.declared.metavar
        if self.choices:
            joined = "|".join(self.choices)
            return joined if len(joined) <= _SHORT else self.name.upper()
        return _METAVARS[self.kind]

    @property
    def shown(self) -> str:
        """Its name in a message: the flag, or the metavar of an argument."""
        return self.flag or self.metavar.strip("[].")

    @property
    def help(self) -> str:
        """One line: what it is, its range or values, and its default."""
        more = []
        if self.choices and "|" not in self.metavar:
            more.append(f"one of: {', '.join(self.choices)}")
        least, most = self.declared.min, self.declared.max
        if least is not None and most is not None:
            more.append(f"{least:g} to {most:g}")
        elif least is not None:
            more.append(f"at least {least:g}")
        if self.many and self.flag:
            more.append("can be given more than once")
        if self.default not in (None, False, "", []):
            more.append(f"default: {self.default}")
        said = self.declared.help
        return f"{said.rstrip('.')} ({'; '.join(more)})." if said and more else said


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a command, in the order of its signature."""
    hints = get_type_hints(function, include_extras=True)
    return [_parameter(each, hints[name]) for name, each in inspect.signature(function).parameters.items()]


def _parameter(given: inspect.Parameter, hint: Any) -> Parameter:
    kind, declared = get_args(hint)
    required = given.default is inspect.Parameter.empty
    inner = [each for each in get_args(kind) if each is not NoneType]
    if NoneType in get_args(kind):  # X | None
        (kind,) = inner
    many = get_origin(kind) is list
    size = len(get_args(kind)) if get_origin(kind) is tuple else 1
    if many or size > 1:
        kind = get_args(kind)[0]
    choices: tuple[str, ...] = ()
    if get_origin(kind) is Literal:
        kind, choices = str, get_args(kind)
    elif issubclass(kind, StrEnum):
        choices = tuple(map(str, kind))
    named = declared.flag if isinstance(declared, Option) else ""
    flag = named or f"--{given.name.replace('_', '-')}"
    return Parameter(
        name=given.name,
        flag=flag if isinstance(declared, Option) else "",
        kind=kind,
        many=many,
        required=required,
        default=None if required else given.default,
        declared=declared,
        choices=choices,
        size=size,
    )
