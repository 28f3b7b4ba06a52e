"""Bind a process to its parent: it ends with the parent, also when that is killed.

As a program it runs a bound module: `python bound.py PARENT_PID SIGNAL MODULE ARGUMENTS`.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def bind(parent: int, ending: signal.Signals = signal.SIGKILL) -> None:
    """Make the kernel end this process when its parent ends. Exits with 3 if the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, ending)
    if os.getppid() != parent:
        sys.exit(3)


if __name__ == "__main__":
    bind(int(sys.argv.pop(1)), signal.Signals[sys.argv.pop(1)])
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
