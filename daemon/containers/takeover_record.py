"""The record of containers before their takeover: durable, so that a crash can't lose it."""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from daemon.containers.engine import ContainerError, ContainerState, RestartPolicy
from daemon.system.durable import make_folder, whole_file


@dataclass(frozen=True, slots=True)
class Before:
    """A container as its owner had it: whether it `ran`, and its restart policy."""

    id: str
    name: str
    ran: bool
    policy: RestartPolicy


class TakeoverRecord:
    """The record at `file`, by container id, since another container may get a name. All raise
    ContainerError. They block on the disk: call them in threads.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._one = threading.Lock()
        self._known: dict[str, Before] | None = None

    def of(self, name: str) -> list[Before]:
        """The containers that were taken over under `name`, the oldest first."""
        with self._one:
            return [before for before in self._read().values() if before.name == name]

    def names(self) -> set[str]:
        """The names under which containers were taken over."""
        with self._one:
            return {before.name for before in self._read().values()}

    def keep(self, seen: ContainerState) -> None:
        """Record a container, durably, unless it is recorded.

        An entry is never overwritten: after a crash the container is as we left it, not as its owner had it.
        """
        with self._one:
            known = self._read()
            if seen.id not in known:
                self._write({**known, seen.id: Before(seen.id, seen.name, seen.alive, seen.policy)})

    def forget(self, container: str) -> None:
        """Drop the container with this id: it was restored, or does not exist any more."""
        with self._one:
            known = self._read()
            if container in known:
                self._write({id_: before for id_, before in known.items() if id_ != container})

    def _read(self) -> dict[str, Before]:
        if self._known is None:
            try:
                content = json.loads(self._file.read_text())
                self._known = {
                    each["id"]: Before(each["id"], each["name"], each["ran"], RestartPolicy(**each["policy"]))
                    for each in content
                }
            except FileNotFoundError:
                self._known = {}
            except (OSError, ValueError, KeyError, TypeError) as exc:
                raise ContainerError(
                    "failed", f"{self._file} can't be read; remove it, then check your containers"
                ) from exc
        return self._known

    def _write(self, known: dict[str, Before]) -> None:
        try:
            make_folder(self._file.parent)
            with whole_file(self._file) as file:
                file.write(json.dumps([asdict(before) for before in known.values()], indent=2).encode())
        except OSError as exc:
            raise ContainerError("failed", f"{self._file} can't be written: {exc.strerror}") from exc
        self._known = known
