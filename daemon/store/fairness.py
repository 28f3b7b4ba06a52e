"""Fairness cards with their acceptance, and the introductions of a class to make one of.

A card is a setting under the identity of its rater. A new card of the same rater replaces its acceptance too:
a person accepts what was shown.
"""

from typing import Any

from daemon.core.errors import IllegalTransition
from daemon.core.fairness.card import Card
from daemon.core.fairness.changes import Introduction
from daemon.core.fairness.kept import Acceptance, KeptCard
from daemon.core.tasks.task import Outcome
from daemon.core.timestamps import to_iso
from daemon.store import audit, settings
from daemon.store.codec import read_form, read_stt
from daemon.store.database import Database, reads, writes
from daemon.store.membership import Membership
from daemon.store.models import SettingRow, TaskRow

_KEY = "fairness "
_RATED = (Outcome.EVALUATED.value, Outcome.NEEDS_REVIEW.value)


@reads
def cards(db: Database) -> list[KeptCard]:
    """All cards, the newest first."""
    rows = SettingRow.select().where(SettingRow.key.startswith(_KEY)).execute(db)
    found = [KeptCard.model_validate_json(row.value) for row in rows]
    return sorted(found, key=lambda kept: kept.card.made_at, reverse=True)


@writes
def keep(db: Database, card: Card, *, at: float, actor: str) -> None:
    """Keep a card in the place of the last one of this rater."""
    kept = KeptCard(card=card)
    before = settings.get(db, _KEY + card.identity)
    _put(db, kept, before, at=at, actor=actor, what="fairness card")


@writes
def accept(db: Database, wanted: str, by: str, reason: str, *, at: float, actor: str) -> KeptCard:
    """Record that a person takes a rater for grades in spite of its card.

    `wanted` is the begin of the card's identity; the newest card where it is empty. Raises IllegalTransition
    when there is none, or nothing to accept.
    """
    kept = chosen(cards(db), wanted)
    if kept.card.fit:
        raise IllegalTransition(
            f"the card {kept.card.identity} is fit for grades, so there is nothing to accept"
        )
    accepted = kept.model_copy(
        update={"accepted": Acceptance(by=by, reason=reason, account=actor, at=to_iso(at))}
    )
    _put(db, accepted, kept.model_dump(mode="json"), at=at, actor=actor, what="fairness accepted")
    return accepted


def chosen(found: list[KeptCard], wanted: str) -> KeptCard:
    """The newest card whose identity begins so. Raises IllegalTransition."""
    for kept in found:
        if kept.card.identity.startswith(wanted):
            return kept
    named = f"no fairness card {wanted}" if wanted else "no fairness card yet"
    raise IllegalTransition(f"there is {named}; to make one, run: introeval fairness")


@reads
def said_in(db: Database, of: Membership) -> list[Introduction]:
    """The introductions of a class that a model has rated, oldest first."""
    by_model = TaskRow.outcome.in_(_RATED) & TaskRow.error_code.is_null()
    rows = (
        TaskRow.select(TaskRow.stt_result, TaskRow.mistral_result, TaskRow.provenance)
        .where(of.condition & by_model)
        .order_by(TaskRow.id)
    )
    found = []
    for row in rows.execute(db):
        transcript, speaking = read_stt(row.stt_result)
        if transcript is not None and speaking is not None:
            found.append(Introduction(transcript.text, read_form(row), speaking))
    return found


def _put(db: Database, kept: KeptCard, before: Any, *, at: float, actor: str, what: str) -> None:
    value = kept.model_dump(mode="json")
    settings.put(db, _KEY + kept.card.identity, value)
    subject = f"fairness card {kept.card.identity}"
    audit.append(db, at=at, actor=actor, what=what, subject=subject, before=before, after=value)
