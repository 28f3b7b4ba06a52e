"""A lab for the real daemon as a process: its own folders, real models, an observer of the process table."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support.checkout import MODELS
from tests.support.folders import copy_in, results_by_student

ENGINES = {"daemon.stt.worker": "whisper", "daemon.llm.server": "model"}


@dataclass
class ProcessLab:
    """Folders of a lab of its own, in which `introeval` runs as a user's would."""

    folder: Path
    settings: str = ""
    wrapper: Sequence[str] = ()  # a command line that runs the one that follows it

    def __post_init__(self) -> None:
        for name in ("inbox", "outbox", "var"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        models = Path(os.environ.get("INTROEVAL_TEST_MODELS", MODELS))
        (self.folder / "var" / "models").symlink_to(models)
        (self.folder / "introeval.toml").write_text("[intake]\nsettle_s = 0.3\n" + self.settings)

    @property
    def database(self) -> Path:
        return self.folder / "var" / "introeval.db"

    def hand_in(self, *videos: Path) -> None:
        copy_in(self.folder / "inbox", *videos)

    def command(self, *arguments: str) -> list[str]:
        return [*self.wrapper, sys.executable, "-m", "daemon", *arguments]

    def start(self, *arguments: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command. What says much needs another `output`: a pipe that nobody reads stops it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            text=True,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if not k.startswith("INTROEVAL_")},
        )

    def run(self, *arguments: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def results(self) -> dict[str, dict[str, Any]]:
        """Every result by its student's id; two of one student fail the test."""
        return results_by_student(self.folder / "outbox")


@dataclass
class Observer:
    """Reads the process table again and again, from outside the daemon, for one lab's engines."""

    folder: Path
    seen: set[frozenset[str]] = field(default_factory=set)
    looks: int = 0

    def look(self) -> None:
        """Note which engines of this lab live now, by the lock file that each names."""
        alive = set()
        for process in psutil.process_iter():
            try:
                command = process.cmdline()
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            if any(str(self.folder) in argument for argument in command):
                alive |= {engine(command) for module in ENGINES if module in command}
        self.seen.add(frozenset(alive))
        self.looks += 1

    def together(self) -> set[frozenset[str]]:
        """The sets of engines that were seen alive at one time."""
        return {group for group in self.seen if len(group) > 1}


def engine(command: Sequence[str]) -> str:
    """Which engine a child's command line is: the stem of its lock file."""
    lock = next(argument for argument in command if argument.endswith(".lock"))
    return Path(lock).stem


@contextmanager
def observed(folder: Path) -> Iterator[Observer]:
    """Watch a lab's engines for as long as the context lasts."""
    observer = Observer(folder)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            observer.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield observer
    finally:
        done.set()
        thread.join()
