"""The name in a form, by the roster of the task's class."""

from dataclasses import replace

from daemon.contracts.values import Extracted
from daemon.core.classes.heard_name import on_roster
from daemon.core.content.document import Flag
from daemon.core.content.result import NAME_HEARD
from daemon.store.classes import roster_in_use
from daemon.store.database import Database
from daemon.store.models import TaskRow


def with_roster_name(db: Database, row: TaskRow, outcome: Extracted) -> Extracted:
    """The outcome with the name as the roster spells it, or flagged if it is another's."""
    form = outcome.profile
    roster = roster_in_use(db, row.class_id)
    entry = roster.find(row.user_id)
    if form is None or form.name is None or entry is None or not entry.name:
        return outcome
    found = on_roster(form.name, entry, roster, likeness)
    if found.differs:
        told = f"{form.name} was heard, and the roster has {entry.name}"
        return replace(outcome, flags=(*outcome.flags, Flag(code="name_differs", field="name", detail=told)))
    if found.name == form.name:
        return outcome
    return replace(
        outcome,
        profile=form.model_copy(update={"name": found.name}),
        provenance={**outcome.provenance, NAME_HEARD: form.name},
    )


def likeness(one: str, other: str) -> float:
    """How near two names are in letters and in sound, from 0 to 1."""
    import jellyfish  # only a class with a roster needs it

    letters = jellyfish.jaro_similarity(one, other)
    sounds = jellyfish.jaro_similarity(jellyfish.metaphone(one), jellyfish.metaphone(other))
    return (letters + sounds) / 2
