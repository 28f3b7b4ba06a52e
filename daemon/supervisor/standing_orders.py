"""The operator's orders for the whole daemon. They hold through a restart until they are taken back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from daemon.contracts.signal import Signal
from daemon.contracts.values import Orders
from daemon.contracts.wire.words import Order
from daemon.core.forecast.explain import seconds
from daemon.supervisor.journal import Journal


class StandingOrders:
    """The orders that hold now. `changed` signals each change, also the orders loaded at the start."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal, self._clock = journal, clock
        self.changed = Signal[[Orders]]()
        self._one_by_one = asyncio.Lock()
        self.now = Orders()

    async def recall(self) -> None:
        """Load the orders that held at the last stop."""
        async with self._one_by_one:  # an order given meanwhile adds to the loaded ones
            self.now = await self._journal.orders()
        self.changed(self.now)

    async def give(self, order: Order, *, at_once: bool = False, actor: str | None = None) -> None:
        """Pause, resume, drain, or go, as `actor` orders. Raises StoreError; the order then does not hold."""
        match order:
            case Order.PAUSE:
                what = "pause now" if at_once else order.value
                await self._keep(what, what, actor, paused=True)
            case Order.RESUME:
                await self._keep(order, order, actor, paused=False, draining=False)
            case Order.DRAIN:
                await self._keep(order, order, actor, draining=True)
            case Order.GO:
                await self._keep(order, order, actor, go_at=self._clock())

    async def deadline(self, at: float | None, actor: str | None = None) -> None:
        """Set when the class is to be done, in epoch seconds; None removes it. Raises StoreError."""
        told = "no deadline" if at is None else f"deadline in {seconds(at - self._clock())}"
        await self._keep("deadline", told, actor, deadline=at)

    async def drain_node(self, name: str, *, on: bool, actor: str | None = None) -> None:
        """Have a machine get no more work; or, not `on`, work again. Raises StoreError."""
        what = f"drain {name}" if on else f"drain {name} off"

        def changed(now: Orders) -> Orders:
            others = tuple(each for each in now.drained if each != name)
            return replace(now, drained=(*others, name) if on else others)

        if (name in self.now.drained) != on:
            await self._change(what, what, actor, changed)

    async def _keep(self, what: str, told: str, actor: str | None, **ordered: Any) -> None:
        await self._change(what, told, actor, lambda now: replace(now, **ordered))

    async def _change(
        self, what: str, told: str, actor: str | None, changed: Callable[[Orders], Orders]
    ) -> None:
        async with self._one_by_one:
            orders = changed(self.now)
            await self._journal.keep_orders(orders, what, actor)
            self.now = orders
        self.changed(orders)
        self._journal.events.add("order", told, actor=actor)
