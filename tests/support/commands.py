"""A command of the command line, run in this process: what it prints, and how it ends."""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from daemon.cli.main import execute
from daemon.core.errors import IntroEvalError


@dataclass
class Ended:
    """A command that has ended. Its error is here, and not printed."""

    exit_code: int
    stdout: str
    stderr: str
    exception: IntroEvalError | None = None

    @property
    def output(self) -> str:
        return self.stdout + self.stderr + (str(self.exception) if self.exception else "")


def invoke(*words: str, typed: str = "") -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _typing(typed):
        try:
            return Ended(execute(words), out.getvalue(), err.getvalue())
        except IntroEvalError as exc:
            return Ended(exc.exit_code, out.getvalue(), err.getvalue(), exc)


@contextlib.contextmanager
def _typing(text: str) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.StringIO(text)
    try:
        yield
    finally:
        sys.stdin = before
