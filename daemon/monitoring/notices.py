"""Sends the notices of tasks to the lab's own programs, until each has answered.

1. The notices of one task are sent in their order: a later one waits until the earlier one is answered.
2. One that is answered is deleted, and never sent again. A crash between the answer and the deletion, or an
   answer that comes too late, has it sent twice, with the same id and the same bytes.
3. After a failure the receiver rests for a moment, and the task longer; the other tasks go on.

Nothing waits for a receiver: notices are kept in the database, for `retention.notice_days` at most.
"""

import asyncio
import contextlib
from collections.abc import Callable

from daemon.config.records import HookSettings
from daemon.core.alarms import trouble_of
from daemon.core.errors import StoreError
from daemon.core.notices import REST_MOST_S, Receiver, TaskNotice, rest_s, secret_of, signed
from daemon.core.tasks.lifecycle import backoff_s
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.receivers import TIMEOUT_S, call, post
from daemon.store import notices
from daemon.store.session import Session
from daemon.system.waits import happens, waking


class Notices:
    """Sends notices. `timeout_s` is a receiver's time for an answer; `pause` gives the seconds that it rests
    after so many failures in a row.
    """

    def __init__(
        self,
        config: HookSettings,
        session: Session,
        alarms: Alarms,
        clock: Callable[[], float],
        *,
        timeout_s: float = TIMEOUT_S,
        pause: Callable[[int], float] = backoff_s,
    ) -> None:
        self._config, self._session, self._alarms, self._clock = config, session, alarms, clock
        self._timeout_s, self._pause = timeout_s, pause
        self._woken = {receiver: asyncio.Event() for receiver in config.wanted.receivers}
        self._busy = set(self._woken)
        self._failing: set[Receiver] = set()

    @property
    def idle(self) -> bool:
        """Whether each receiver has all that waits for it, or does not take it now."""
        return not self._busy

    def hint(self) -> None:
        """Wake the sending: there may be a notice."""
        self._busy.update(self._woken.keys() - self._failing)
        for woken in self._woken.values():
            woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`. An attempt that runs then is finished."""
        loop = asyncio.get_running_loop()
        self._session.db.on_notice = lambda: loop.call_soon_threadsafe(self.hint)
        try:
            with contextlib.suppress(StoreError):  # the daemon stops, and its next start sends them
                await self._session.until_durable(notices.begin)
                await asyncio.gather(*(self._serve(receiver, stop) for receiver in self._woken))
        finally:
            self._session.db.on_notice = lambda: None

    async def _serve(self, receiver: Receiver, stop: asyncio.Event) -> None:
        woken, failures = self._woken[receiver], 0
        async with waking(stop, woken.set):
            while not stop.is_set():
                woken.clear()
                try:
                    notice = await self._session(notices.first, receiver)
                except StoreError:  # reported by the work, which needs the database, too
                    await happens(stop, REST_MOST_S)
                    continue
                wait_s = self._wait_s(notice)
                if notice is None:
                    self._recovered(receiver)  # what failed has expired, or its student is forgotten
                if notice is None or wait_s > 0:
                    self._busy.discard(receiver)
                    await happens(woken, wait_s if notice else None)
                elif complaint := await self._send(notice):
                    failures += 1
                    await self._failed(notice, complaint)
                    await happens(stop, self._pause(failures))
                else:
                    failures = 0
                    await self._answered(notice)

    async def _answered(self, notice: TaskNotice) -> None:
        await self._session.until_durable(notices.answered, notice)
        self._recovered(notice.receiver)
        self._busy.add(notice.receiver)

    def _recovered(self, receiver: Receiver) -> None:
        self._failing.discard(receiver)
        self._alarms.clear(f"notices_{receiver}")

    async def _failed(self, notice: TaskNotice, complaint: str) -> None:
        self._alarms.set(trouble_of(f"notices_{notice.receiver}", complaint))
        until = self._clock() + rest_s(notice.tries + 1)
        await self._session.until_durable(notices.failed, notice, until)
        self._failing.add(notice.receiver)
        self._busy.discard(notice.receiver)

    def _wait_s(self, notice: TaskNotice | None) -> float:
        """The seconds until a notice may be sent; none, if they are more than any rest: the clock was set."""
        wait_s = notice.not_before - self._clock() if notice else 0.0
        return wait_s if wait_s <= REST_MOST_S else 0.0

    async def _send(self, notice: TaskNotice) -> str | None:
        """Make one attempt. Gives why it failed, or None."""
        body = notice.body()
        if notice.receiver is Receiver.COMMAND:
            return await call("hooks.command", self._config.command, body, self._timeout_s)
        try:
            secret = await asyncio.to_thread(self._secret)
        except OSError as exc:
            return f"hooks.secret_file cannot be read: {exc.strerror}; check its path and its rights"
        except ValueError as exc:
            return f"hooks.secret_file has no key: {exc}; to make one, run: openssl rand -base64 32"
        headers = signed(notice.key, int(self._clock()), body, secret)
        return await post("hooks.webhook", self._config.webhook, body, self._timeout_s, headers)

    def _secret(self) -> bytes:
        """The key, read anew each time, so that it can be replaced. Raises OSError, ValueError."""
        assert self._config.secret_file is not None  # the configuration was checked
        return secret_of(self._config.secret_file.read_text(encoding="ascii"))
