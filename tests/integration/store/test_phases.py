"""What a phase is to be prepared for, and what its switch found."""

from dataclasses import replace

from daemon.contracts.ledger import Ledger
from daemon.core.content.answers import FORM_CHARS
from daemon.core.tasks.task import Event, Phase, Stage
from daemon.store import Database, commits, lists, phases
from tests.integration.stores import NOW, TRANSCRIPT, WAY, birth, born, change, outcome_of, walk


def transcribed(store: Database, name: str, text: str) -> None:
    task = walk(store, born(store, birth(name, name))[0], *WAY[:2])
    outcome = outcome_of(task, Event.TRANSCRIBED)
    transcript = TRANSCRIPT.model_copy(update={"text": text})
    commits.commit(store, [change(task, Event.TRANSCRIBED, outcome=replace(outcome, transcript=transcript))])  # type: ignore[type-var]


def test_the_longest_transcript_is_that_of_the_tasks_that_wait_for_a_model(store: Database) -> None:
    assert phases.longest_transcript(store) == 0
    born(store, birth("waits", "waits"))
    assert phases.longest_transcript(store) == 0
    transcribed(store, "short", "A few words.")
    transcribed(store, "long", "word " * 2_000)
    assert phases.longest_transcript(store) == 10_000
    done = born(store, birth("done", "done"))[0]
    walk(store, done, *WAY)
    assert phases.longest_transcript(store) == 10_000


def test_a_form_that_is_not_read_yet_counts_as_the_longest(store: Database) -> None:
    assert phases.longest_form(store) == 0
    transcribed(store, "one", "A few words.")
    assert phases.longest_form(store) == FORM_CHARS


def test_the_longest_form_is_that_of_the_tasks_that_wait_for_a_model(store: Database) -> None:
    read = born(store, birth("read", "read"))[0]
    walk(store, read, *WAY[:6])
    assert 0 < phases.longest_form(store) < FORM_CHARS


def test_a_switch_keeps_what_it_found_on_the_gpu(store: Database) -> None:
    phase = phases.began(store, frozenset({Stage.RATE}), Phase.EVAL, None, NOW)
    ledger = Ledger(freed_mb=2048.0, foreign_mb=300.0, needed_mb=6000.0, margin_mb=500.0, waited_s=1.0)
    phases.ready(store, phase, NOW + 4, 4.0, ledger)
    span = lists.last_phases(store, 1)[0]
    assert (span.freed_mb, span.foreign_mb, span.needed_mb, span.margin_mb) == (2048.0, 300.0, 6000.0, 500.0)
