"""`introeval fairness`: measures whether the rater treats all alike, shows and accepts its card."""

import asyncio
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.exit_codes import ExitCode
from daemon.cli.time_parsing import day_name
from daemon.core.errors import AlreadyRunning, NotRunning, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.config.load import Config
    from daemon.core.fairness.card import Card
    from daemon.core.fairness.changes import Introduction
    from daemon.core.fairness.kept import KeptCard

_QUICK = 2  # of the introductions one in so many
CARD = typer.Argument(metavar="CARD", help="The begin of a card's identity; by default the newest.")


def fairness(
    of: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="Take those of a class, or a day: today, 2026-11-27."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take half of the introductions, and keep no card.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Measure whether the rater treats all alike, and keep the card of this model, rubric and parameters.

    Introductions are rated as they are, and after each of nine changes that leave what they say. The card
    has the mean shift of every score. By default the introductions are those of invented people that the
    program brings. No daemon may run. Ctrl+c ends it with a look at what is rated by then, and keeps no card.
    The exit code is 1 when the rater is not for grades.

    To see a card again: introeval fairness show. To take a rater for grades in spite of its card:
    introeval fairness accept.
    """
    from daemon.cli.fairness_card import lines
    from daemon.cli.lines import say
    from daemon.core.fairness.kept import KeptCard
    from daemon.doctor.facts import me
    from daemon.store import fairness as kept_cards
    from daemon.store import open_store
    from daemon.system.state_folder import DATABASE, owned, write_privately

    settings = configuration()
    base, name = _introductions(settings, of)
    write_privately()
    try:
        with owned(settings.paths.state):
            card, whole = _measured(settings, base[::_QUICK] if quick else base, name)
            keep = whole and not quick
            if keep:
                with open_store(settings.paths.state / DATABASE) as db:
                    kept_cards.keep(db, card, at=time.time(), actor=me())
    except AlreadyRunning as exc:
        told = f"a daemon works on {settings.paths.state}, so the rater is not free for a fairness card"
        raise AlreadyRunning(f"{told}; to stop it, run: introeval stop") from exc
    if as_json:
        print(card.model_dump_json(indent=2))
    else:
        say(lines(KeptCard(card=card), stored=keep))
    return ExitCode.DONE if card.fit else ExitCode.NO


def show(card: Annotated[str, CARD] = "", as_json: AsJson = False) -> None:
    """Show a fairness card that was made here, and who has accepted it."""
    from daemon.cli.fairness_card import lines
    from daemon.cli.lines import say
    from daemon.store import fairness as kept_cards
    from daemon.store import open_reader
    from daemon.system.state_folder import DATABASE

    with open_reader(configuration().paths.state / DATABASE) as db:
        kept = kept_cards.chosen(kept_cards.cards(db), card)
    if as_json:
        print(kept.model_dump_json(indent=2))
    else:
        say(lines(kept))


def accept(
    by: Annotated[str, typer.Option(metavar="NAME", help="Who answers for it.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is taken; name no student.")],
    card: Annotated[str, CARD] = "",
) -> None:
    """Take a rater for grades in spite of its fairness card. Its ratings from now on have no such flag.

    The audit records it. A new card of the same rater has to be accepted again.
    """
    from daemon.api import client
    from daemon.contracts.wire.base import RaterAccepted

    settings = configuration()
    if not (by.strip() and reason.strip()):
        raise UsageError("--by and --reason must not be empty")
    asked = RaterAccepted(card=card, by=by.strip(), reason=reason.strip())
    try:
        client.post(settings.paths.socket, "/fairness/accept", body=asked.model_dump())
    except NotRunning as exc:
        _without_daemon(settings, asked.card, asked.by, asked.reason, exc)
    print(f"accepted by {asked.by}; to rate again what was flagged, run: introeval rate --all")


def _introductions(config: "Config", of: str | None) -> "tuple[Sequence[Introduction], str]":
    """The introductions to ask about, and what they are. Raises UnknownClass, UsageError."""
    from daemon.app.fairness import bundled
    from daemon.store import fairness as kept_cards
    from daemon.store import open_reader
    from daemon.store.membership import membership
    from daemon.system.state_folder import DATABASE

    if of is None:
        return bundled(), "invented people"
    name = day_name(of, datetime.now().astimezone())
    with open_reader(config.paths.state / DATABASE) as db:
        said = kept_cards.said_in(db, membership(db, name, time.time()))
    if not said:
        raise UsageError(f"nothing of {of} was rated; see: introeval tasks")
    return said, f"the class {name}"


def _measured(config: "Config", base: "Sequence[Introduction]", name: str) -> "tuple[Card, bool]":
    """Say what it costs, and make the card with progress on stderr. Gives it, and whether all was asked."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from daemon.app.fairness import measure, questions
    from daemon.cli.console import ERR
    from daemon.cli.run import log_to_file, stopped_by_signals

    log_to_file(config)
    ratings = len(questions(base))
    each_s, known = _usual_s(config)
    print(
        f"{len(base)} introductions, {ratings} ratings of 2 questions each: about "
        f"{ratings * each_s / 60:.0f} min at {each_s:.0f} s a rating, as {known}",
        file=sys.stderr,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as progress:
        bar = progress.add_task("rating", total=ratings)

        async def ask() -> "tuple[Card, bool]":
            stop = stopped_by_signals()
            card = await measure(config, base, name, lambda: progress.advance(bar), stop)
            return card, not stop.is_set()

        return asyncio.run(ask())


def _usual_s(config: "Config") -> tuple[float, str]:
    """The seconds of a rating, and where the figure is from."""
    from daemon.core.errors import StoreError
    from daemon.core.forecast.durations import PLANNED
    from daemon.core.tasks.task import Stage
    from daemon.forecast import read_durations
    from daemon.store import open_reader
    from daemon.system.state_folder import DATABASE

    try:
        with open_reader(config.paths.state / DATABASE) as db:
            paces = read_durations(db).paces
    except StoreError:
        paces = PLANNED.paces
    known = "planned" if paces[Stage.RATE] == PLANNED.paces[Stage.RATE] else "measured here"
    return paces[Stage.RATE].mean_s, known


def _without_daemon(config: "Config", card: str, by: str, reason: str, unreached: NotRunning) -> "KeptCard":
    from daemon.doctor.facts import me
    from daemon.store import fairness as kept_cards
    from daemon.store import open_store
    from daemon.system.state_folder import DATABASE, owned

    database = config.paths.state / DATABASE
    if not database.is_file():
        raise unreached
    with owned(config.paths.state), open_store(database) as db:
        return kept_cards.accept(db, card, by, reason, at=time.time(), actor=me())
