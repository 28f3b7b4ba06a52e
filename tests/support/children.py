"""The children of this process."""

import contextlib

import psutil


def media_children() -> list[psutil.Process]:
    """Those that read media and live. One that ends while it is looked at is none."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie counts as such, too
            if "daemon.stt.media" in child.cmdline():
                found.append(child)
    return found
