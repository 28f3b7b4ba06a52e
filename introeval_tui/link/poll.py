"""Polls the daemon, and makes one `Snapshot` of its answers.

It never gives up: an error becomes part of the snapshot, with the time of the next attempt.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from introeval_tui.link.client import WHOSE, Client, DaemonSilent, Garbled, RequestRefused
from introeval_tui.rows.state import PAGE, Link, ListView, Query, Snapshot
from introeval_tui.rows.target import Listing, of_attention, of_tasks
from introeval_tui.rows.words import RUNNING

if TYPE_CHECKING:
    from daemon.contracts.wire.attention import AttentionPage
    from daemon.contracts.wire.base import WireModel
    from daemon.contracts.wire.status import DaemonStatus

_Kind = TypeVar("_Kind", bound="WireModel")

BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 15.0)
_TIMEOUT_S = 12.0
_PROGRESS_S = 2.0  # seconds between polls of the progress while no task changes its state
_GPU_S = 5.0
_EVENTS = 100
_URGENT = 50  # things that want a person, for the panel beside the table
_FAILED = 50
_MOST = 500  # lines in one answer of the daemon


class Poller:
    """Polls over one connection. `changed` is called with each new snapshot, in the caller's event loop."""

    def __init__(
        self,
        client: Client,
        monotonic: Callable[[], float],
        changed: Callable[[Snapshot], None],
        refresh_s: float = 1.0,
    ) -> None:
        self.query = Query()
        self.refresh_s = refresh_s
        self.known = Snapshot()
        self._client = client
        self._monotonic = monotonic
        self._changed = changed
        self._soon = asyncio.Event()
        self._everything = False
        self._seen: tuple[object, ...] | None = None  # what the page that is here depends on
        self._listed_at = 0.0
        self._gpu_at: float | None = None
        self._told: object = None
        self._heard: dict[str, tuple[bytes, object]] = {}  # the last answer of each path, and what it means

    def ask(self, query: Query) -> None:
        """List other tasks, and poll now."""
        self.query = query
        self._soon.set()

    def hurry(self) -> None:
        """Poll everything now: something was changed, or the operator does not want to wait."""
        self._everything = True
        self._soon.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        await asyncio.to_thread(_load_wire)
        while True:
            self._soon.clear()
            await self._poll()
            wait = self.refresh_s
            if self.known.next_try_at is not None:
                wait = self.known.next_try_at - self._monotonic()
            try:
                async with asyncio.timeout(max(0.0, wait)):
                    await self._soon.wait()
            except TimeoutError:
                continue

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()

    async def once(self) -> Snapshot:
        """Poll once, and close the connection."""
        await self._poll()
        self._client.close()
        return self.known

    async def _poll(self) -> None:
        try:
            known = await self._ask()
        except (DaemonSilent, RequestRefused) as exc:
            self._client.close()
            known = self._down(str(exc), exc.fix if isinstance(exc, DaemonSilent) else "")
        self.known = known
        self._changed(known)

    def _down(self, reason: str, fix: str) -> Snapshot:
        now = self._monotonic()
        attempts = self.known.tries + 1
        wait = BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1]
        self._seen = None
        return replace(
            self.known,
            link=Link.DOWN,
            reason=reason,
            fix=fix,
            down_since=now if self.known.down_since is None else self.known.down_since,
            tries=attempts,
            next_try_at=now + wait,
        )

    async def _ask(self) -> Snapshot:
        from daemon.contracts.wire.status import API_VERSION

        everything, self._everything = self._everything, False
        status = _status(await self._client.get("/status", timeout=_TIMEOUT_S))
        known = replace(
            self.known,
            link=Link.UP,
            reason="",
            fix="",
            down_since=None,
            tries=0,
            next_try_at=None,
            at=self._monotonic(),
            status=status or self.known.status,
        )
        if status is None or status.api_version != API_VERSION:
            return replace(known, link=Link.FOREIGN)
        self.known = known
        known = await self._list(known, status, everything=everything)
        return await self._more(known, status, everything=everything)

    async def _list(self, known: Snapshot, status: "DaemonStatus", *, everything: bool) -> Snapshot:
        """Fetch the page of the list, and the most urgent things, if they can have changed."""
        query, now = self.query, self._monotonic()
        seen = (status.pid, status.seq, tuple(status.attention.items()), status.alarms, query)
        moves = known.page is not None and any(
            item.task is not None and item.task.status in RUNNING for item in known.page.items
        )
        if seen == self._seen and not everything and not (moves and now - self._listed_at >= _PROGRESS_S):
            return known
        page = await self._page(query)
        urgent, failed = known.urgent, known.failed
        if everything or self._seen is None or self._seen[:-1] != seen[:-1]:
            wanted = any(status.attention.values())
            urgent = await self._attention(0, _URGENT) if wanted else Listing()
            params = [("status", "failed"), ("order", "age"), ("limit", str(_FAILED))]
            failed = await self._tasks(params) if status.counts.get("failed") else Listing()
        self._seen, self._listed_at = seen, now
        return replace(known, page=page, query=query, urgent=urgent, failed=failed)

    async def _page(self, query: Query) -> Listing:
        """The page of a list. What wants a person is searched for a text here: the daemon can not."""
        if query.view is not ListView.ATTENTION:
            return await self._tasks(query.params, query.offset)
        if not query.text:
            return await self._attention(query.offset, PAGE)
        found: list[Listing] = []
        while True:
            offset = _MOST * len(found)
            page = await self._model(_attention_page(), "/attention", _window(offset, _MOST))
            found.append(of_attention(page, text=query.text.lower()))
            if offset + len(page.lines) >= page.total or not page.lines:
                items = tuple(item for each in found for item in each.items)
                return Listing(items, 0, len(items), found[-1].counts)

    async def _tasks(self, params: list[tuple[str, str]], offset: int = 0) -> Listing:
        from daemon.contracts.wire.tasks import TaskPage

        return of_tasks(await self._model(TaskPage, "/tasks", params), offset)

    async def _attention(self, offset: int, limit: int) -> Listing:
        page = await self._model(_attention_page(), "/attention", _window(offset, limit))
        return of_attention(page, offset)

    async def _more(self, known: Snapshot, status: "DaemonStatus", *, everything: bool) -> Snapshot:
        """Fetch the GPU's history every 5 s, and the events when the status shows that there are new ones."""
        from daemon.contracts.wire.base import EventLine
        from daemon.contracts.wire.status import GpuHistory

        now = self._monotonic()
        states = tuple(engine.state for engine in status.engines)
        told = (status.pid, status.seq, status.group, states, status.paused, status.draining, status.alarms)
        news = told != self._told or everything
        if news or self._gpu_at is None or now - self._gpu_at >= _GPU_S:
            self._gpu_at = now
            known = replace(known, gpu=await self._model(GpuHistory, "/gpu", []))
        if news:
            body = await self._client.get("/events/recent", [("limit", str(_EVENTS))])
            try:
                events = tuple(EventLine.model_validate(line) for line in json.loads(body))
            except (ValueError, TypeError) as exc:
                raise Garbled("the daemon's events cannot be read") from exc
            known = replace(known, events=tuple(sorted(events, key=lambda event: -event.id)))
            self._told = told
        return known

    async def _model(self, kind: type[_Kind], path: str, params: list[tuple[str, str]]) -> _Kind:
        """The answer; the same object as last time where it is the same to the byte."""
        body = await self._client.get(path, params)
        before, known = self._heard.get(path, (b"", None))
        if body == before and isinstance(known, kind):
            return known
        try:
            read = kind.model_validate_json(body)
        except ValueError as exc:
            raise Garbled(f"the daemon's answer to {path} cannot be read") from exc
        self._heard[path] = body, read
        return read


def _attention_page() -> "type[AttentionPage]":
    from daemon.contracts.wire.attention import AttentionPage

    return AttentionPage


def _window(offset: int, limit: int) -> list[tuple[str, str]]:
    return [("offset", str(offset)), ("limit", str(limit))]


def _load_wire() -> None:
    """Import the wire types. Called in a thread, since it takes longer than a frame may."""
    import daemon.contracts.wire.status  # noqa: F401


def _status(body: bytes) -> "DaemonStatus | None":
    """Parse the daemon's status; None when its protocol has another version. Raises Garbled."""
    from daemon.contracts.wire.status import API_VERSION, DaemonStatus

    try:
        return DaemonStatus.model_validate_json(body)
    except ValueError as exc:
        try:
            foreign = json.loads(body)["api_version"] != API_VERSION
        except (ValueError, LookupError, TypeError):
            foreign = False
        if foreign:
            return None
        raise Garbled("the process on the socket is not an IntroEval daemon", WHOSE) from exc
