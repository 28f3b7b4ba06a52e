"""Access to the folders of the inbox without following a link, whatever students put in their place."""

import contextlib
import os

from daemon.system.folder import Folder

NO_SUCH_PLACE = (FileNotFoundError, NotADirectoryError)
"""A folder is gone, or something else has its name, for instance a link."""


class Reach:
    """The open folders of the inbox, each opened once, step by step from the root."""

    def __init__(self, inbox: bytes) -> None:
        self._inbox = inbox
        self._open = contextlib.ExitStack()
        self._folders: dict[bytes, Folder] = {}

    def __enter__(self) -> "Reach":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __call__(self, path: bytes) -> Folder | None:
        """Open the folder of a file; None if the path is not below the inbox. Raises OSError."""
        names = self._steps(path)
        if names is None:
            return None
        parent = os.path.dirname(path)
        if parent not in self._folders:
            with Folder.open(self._inbox) as root:
                self._folders[parent] = self._open.enter_context(root.below(names))
        return self._folders[parent]

    @property
    def folders(self) -> list[Folder]:
        """The folders that are open."""
        return list(self._folders.values())

    def device(self, path: bytes) -> int | None:
        """The device of the deepest existing folder above a file; None if there is none."""
        names = self._steps(path)
        if names is None:
            return None
        for count in range(len(names), -1, -1):
            with (
                contextlib.suppress(OSError),
                Folder.open(self._inbox) as root,
                root.below(names[:count]) as folder,
            ):
                return os.fstat(folder.fd).st_dev
        return None

    def _steps(self, path: bytes) -> list[bytes] | None:
        parent = os.path.dirname(path)
        if parent != self._inbox and not parent.startswith(self._inbox + b"/"):
            return None
        return [name for name in parent[len(self._inbox) :].split(b"/") if name]
