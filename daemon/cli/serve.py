"""`introeval run` as a service: SIGTERM and SIGINT stop it, SIGHUP reloads the configuration.

A reload checks the whole new configuration and the rubric first; a bad one changes nothing and raises an
alarm. A changed rubric alone is taken up at once. A changed configuration is applied by a graceful restart in
the same process: running attempts may end within `run.stop_grace_s`, the others wait again. So a reload
applies every key alike.
"""

import asyncio
import contextlib
import faulthandler
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from daemon.app.parts import Daemon
from daemon.app.run import running
from daemon.cli.common import collect_as_usual
from daemon.cli.run import log_to_file
from daemon.config.load import Config
from daemon.core.alarms import trouble_of
from daemon.core.errors import ConfigError, IntroEvalError
from daemon.placement.rubric_check import check_rubric
from daemon.system import systemd
from daemon.system.state_folder import owned, write_privately

log = structlog.get_logger()

STOP_MARGIN_S = 60.0
"""Time for stopping beyond the attempts' grace: engines are stopped, containers restored."""
BAD_CONFIGURATION = "configuration"

ReadConfig = Callable[[], Config]


@dataclass
class SignalInbox:
    """The requests that came as signals. The handlers only record them; the main loop acts."""

    end: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def to_end(self) -> None:
        """Record SIGTERM or SIGINT."""
        self.end = True
        self.woken.set()

    def to_reload(self) -> None:
        """Record SIGHUP."""
        self.woken.set()

    async def ends(self) -> bool:
        """Wait for a request: True to stop, False to reload. A request to stop stays set."""
        await self.woken.wait()
        if not self.end:
            self.woken.clear()
        return self.end


class Service:
    """Runs the daemon, again after each reload. `read` loads the configuration or raises ConfigError;
    `watch` judges whether the daemon makes progress.
    """

    def __init__(
        self, read: ReadConfig, notifier: systemd.Notifier, watch: systemd.ProgressWatch | None = None
    ) -> None:
        self._read, self._notifier = read, notifier
        self._watch = watch or systemd.ProgressWatch()
        self._asked = SignalInbox()
        self._daemon: Daemon | None = None
        self._good: Config | None = None  # the last configuration with which the daemon started
        # Deadline for the next daemon to appear. The first start is limited by systemd itself.
        self._unseen_until = math.inf

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raises what the first start raises."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked.to_end)
        loop.add_signal_handler(signal.SIGHUP, self._asked.to_reload)
        feeding = asyncio.create_task(systemd.feed(self._notifier, self._pulse, self._watch))
        try:
            await self._rounds(self._read())
        finally:
            feeding.cancel()

    async def _rounds(self, config: Config) -> None:
        """Run one daemon for each configuration. One that fails to start is replaced by the last good one."""
        complaint: str | None = None
        following: Config | None = config
        while following is not None and not self._asked.end:
            config = following
            try:
                following = await self._round(config, complaint)
                complaint = None
            except (IntroEvalError, OSError) as exc:  # a new folder may be missing or not writable
                if self._good is None or config is self._good:
                    raise
                complaint = _complaint(str(exc))
                log.error("reload failed", error=complaint)
                following = self._good

    async def _round(self, config: Config, complaint: str | None) -> Config | None:
        """Run with one configuration, and return the next one, or None to stop."""
        with owned(config.paths.state):
            log_to_file(config, also_stderr=True)
            async with running(config, asyncio.Event()) as daemon:
                self._good = config
                with self._observed(daemon):
                    if complaint is not None:
                        daemon.alarms.set(trouble_of(BAD_CONFIGURATION, complaint))
                    self._notifier.ready(self._pulse().said)
                    while not await self._asked.ends():
                        if (fresh := self._reread(daemon)) is not None:
                            self._unseen_until = time.monotonic() + config.run.stop_grace_s + STOP_MARGIN_S
                            return fresh
                self._notifier.stopping(config.run.stop_grace_s + STOP_MARGIN_S)
        return None

    def _reread(self, daemon: Daemon) -> Config | None:
        """The configuration read anew if it is valid and has changed, else None."""
        self._notifier.reloading()
        try:
            fresh = self._read()
            beside = check_rubric(fresh, fresh.prompts.folder).beside
            renewed = daemon.rubric.renew() if fresh == daemon.config else []
        except ConfigError as exc:
            complaint = _complaint(str(exc))
            log.error("reload failed", error=complaint)
            daemon.alarms.set(trouble_of(BAD_CONFIGURATION, complaint))
            self._notifier.ready(self._pulse().said)
            return None
        daemon.alarms.clear(BAD_CONFIGURATION)
        if fresh != daemon.config:
            log.info("reload: the new configuration applies once the running attempts have ended")
            return fresh
        if renewed:
            told = ", ".join(f"{prompt.title} ({prompt.sha256[:8]})" for prompt in renewed)
            log.info("reload: the rubric changed; it is used from the next question on", rubric=told)
            daemon.events.add("rubric", f"the rubric changed: {told} is used from the next question on")
        else:
            log.info("reload: the configuration and the rubric are the same")
        for line in beside:  # what was edited may be a file that nobody reads
            daemon.events.add("rubric", f"beside the rubric in use: {line}")
        self._notifier.ready(self._pulse().said)
        return None

    @contextlib.contextmanager
    def _observed(self, daemon: Daemon) -> Iterator[None]:
        self._daemon = daemon
        try:
            yield
        finally:
            self._daemon = None

    def _pulse(self) -> systemd.Pulse:
        """The main loop's progress; between two daemons, whether the next one is not yet overdue."""
        if self._daemon is None:
            return systemd.Pulse(0, resting=time.monotonic() < self._unseen_until)
        return self._daemon.pulse


def run_daemon(read: ReadConfig) -> int:
    """Run until SIGTERM or SIGINT, and return the exit code. Raises what the first start raises."""
    write_privately()
    faulthandler.enable()  # on the watchdog's SIGABRT the log then gets the stack of each thread
    collect_as_usual()
    asyncio.run(Service(read, systemd.Notifier(os.environ, os.getpid())).run())
    return 0


def _complaint(why: str) -> str:
    first, _, more = why.partition("\n")
    return f"the new configuration is not used: {first}" + (" (and more)" if more else "")
