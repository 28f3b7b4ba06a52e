"""Whether the rater is fit for grades, by its fairness card."""

from collections.abc import Callable, Mapping, Sequence

from daemon.contracts.values import Provenance
from daemon.core.content.document import Flag
from daemon.core.fairness.kept import KeptCard
from daemon.core.fairness.rater import identity
from daemon.monitoring.events import Events
from daemon.store import fairness
from daemon.store.session import Session


class CardFlags:
    """Flags the ratings of a rater by its card; one without a card has no flag."""

    def __init__(self) -> None:
        self._cards: Mapping[str, KeptCard] = {}
        self._last: str | None = None  # the identity of the last rater that was asked for

    def know(self, cards: Sequence[KeptCard]) -> None:
        """Take these cards as all that there are."""
        self._cards = {kept.card.identity: kept for kept in cards}

    def flags(self, provenance: Provenance) -> tuple[Flag, ...]:
        """The flags of a rating with this provenance."""
        self._last = identity(provenance)
        kept = self._cards.get(self._last)
        return () if kept is None else kept.flags

    @property
    def doubted(self) -> bool:
        """Whether the last rating was flagged, and would be now."""
        kept = self._cards.get(self._last or "")
        return kept is not None and kept.flags != ()


class Accepting:
    """Accepts a rater in the running daemon, in spite of its card."""

    def __init__(
        self, flags: CardFlags, session: Session, events: Events, clock: Callable[[], float]
    ) -> None:
        self._flags, self._session, self._events, self._clock = flags, session, events, clock

    async def __call__(self, card: str, by: str, reason: str, actor: str) -> KeptCard:
        """Record the acceptance; it holds from the next rating on. Raises IllegalTransition, StoreError."""
        kept = await self._session(fairness.accept, card, by, reason, at=self._clock(), actor=actor)
        self._flags.know(await self._session(fairness.cards))
        told = f"{kept.card.model} with {kept.card.prompt} is accepted for grades by {by}"
        self._events.add("order", told, actor=actor)
        return kept
