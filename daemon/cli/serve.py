"""`introeval run` for ever: the daemon as a service, which SIGTERM and SIGINT end and SIGHUP reloads.

A reload checks the whole new configuration first; a bad one changes nothing and is an alarm. A good one is
taken up by a graceful restart in place: attempts in hand may end within `run.stop_grace_s`, the others are
put back, and the daemon goes on in the same process with the new one. So there is no key that a reload
takes up and another that it does not.
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

from daemon.app.assembly import Daemon
from daemon.app.run import running
from daemon.cli.run import log_to_file
from daemon.config.load import Config
from daemon.core.errors import ConfigError, IntroEvalError
from daemon.system import systemd
from daemon.system.state_folder import owned, write_privately

log = structlog.get_logger()

STOP_MARGIN_S = 60.0
"""What stopping may take beyond the attempts' grace: ending the engines, restoring the containers."""
BAD_CONFIGURATION = "configuration"

ReadConfig = Callable[[], Config]


@dataclass
class SignalInbox:
    """What signals have asked for; their handlers do no more than note it here."""

    end: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def to_end(self) -> None:
        """SIGTERM or SIGINT came."""
        self.end = True
        self.woken.set()

    def to_reload(self) -> None:
        """SIGHUP came."""
        self.woken.set()

    async def ends(self) -> bool:
        """Wait until something is asked: the end, or else a reload. An end is never forgotten."""
        await self.woken.wait()
        if not self.end:
            self.woken.clear()
        return self.end


class Service:
    """The daemon through its reloads. `read` gives the configuration as it stands now, or a ConfigError;
    `watch` judges whether the daemon gets on.
    """

    def __init__(
        self, read: ReadConfig, notifier: systemd.Notifier, watch: systemd.ProgressWatch | None = None
    ) -> None:
        self._read, self._notifier = read, notifier
        self._watch = watch or systemd.ProgressWatch()
        self._asked = SignalInbox()
        self._daemon: Daemon | None = None
        self._good: Config | None = None  # the last one that the daemon could start with
        # How long there may be no daemon to look at. The first start is limited by systemd itself.
        self._unseen_until = math.inf

    async def run(self) -> None:
        """Run until a signal ends it. Raises what the first start raises."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked.to_end)
        loop.add_signal_handler(signal.SIGHUP, self._asked.to_reload)
        feeding = asyncio.create_task(systemd.feed(self._notifier, self._look, self._watch))
        try:
            await self._rounds(self._read())
        finally:
            feeding.cancel()

    async def _rounds(self, config: Config) -> None:
        """One round for each configuration; one that can't be started with gives way to the last good."""
        complaint: str | None = None
        following: Config | None = config
        while following is not None and not self._asked.end:
            config = following
            try:
                following = await self._round(config, complaint)
                complaint = None
            except (IntroEvalError, OSError) as exc:  # a folder of the new one may be away, or not ours
                if self._good is None or config is self._good:
                    raise
                complaint = _complaint(str(exc))
                log.error("reload failed", error=complaint)
                following = self._good

    async def _round(self, config: Config, complaint: str | None) -> Config | None:
        """Run with one configuration. The next one, or None when the daemon is to end."""
        with owned(config.paths.state):
            log_to_file(config, also_stderr=True)
            async with running(config, asyncio.Event()) as daemon:
                self._good = config
                with self._observed(daemon):
                    if complaint is not None:
                        daemon.alarms.set(BAD_CONFIGURATION, complaint)
                    self._notifier.ready(self._look().said)
                    while not await self._asked.ends():
                        if (fresh := self._reread(daemon)) is not None:
                            self._unseen_until = time.monotonic() + config.run.stop_grace_s + STOP_MARGIN_S
                            return fresh
                self._notifier.stopping(config.run.stop_grace_s + STOP_MARGIN_S)
        return None

    def _reread(self, daemon: Daemon) -> Config | None:
        """The configuration as it stands now, if it can be used and is another one."""
        self._notifier.reloading()
        try:
            fresh = self._read()
        except ConfigError as exc:
            complaint = _complaint(str(exc))
            log.error("reload failed", error=complaint)
            daemon.alarms.set(BAD_CONFIGURATION, complaint)
            self._notifier.ready(self._look().said)
            return None
        daemon.alarms.clear(BAD_CONFIGURATION)
        if fresh != daemon.config:
            log.info("reload: going on with the new configuration once the attempts in hand have ended")
            return fresh
        log.info("reload: the configuration is the same")
        self._notifier.ready(self._look().said)
        return None

    @contextlib.contextmanager
    def _observed(self, daemon: Daemon) -> Iterator[None]:
        self._daemon = daemon
        try:
            yield
        finally:
            self._daemon = None

    def _look(self) -> systemd.Pulse:
        """How far the main loop is; between two daemons, whether the way to the next one is not too long."""
        if self._daemon is None:
            return systemd.Pulse(0, resting=time.monotonic() < self._unseen_until)
        return self._daemon.pulse


def run_daemon(read: ReadConfig) -> int:
    """Run until SIGTERM or SIGINT. The exit code. Raises what the first start raises."""
    write_privately()
    faulthandler.enable()  # the watchdog's SIGABRT then leaves in the log where each thread hung
    asyncio.run(Service(read, systemd.Notifier(os.environ, os.getpid())).run())
    return 0


def _complaint(why: str) -> str:
    first, _, more = why.partition("\n")
    return f"the new configuration is not used: {first}" + (" (and more)" if more else "")
