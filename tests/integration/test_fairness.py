"""A fairness card from the rater to the flag: made, kept, shown, accepted by name."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.app.engines import Site
from daemon.app.fairness import bundled, measure, questions
from daemon.cli import show
from daemon.cli.main import run
from daemon.cli.run import Report, SummaryRow
from daemon.config.load import load
from daemon.contracts.values import Failed, Provenance, Rated, RateWork, StageOutcome, Ticket
from daemon.contracts.wire.status import DaemonStatus, EngineReport
from daemon.core.content.document import CRITERIA, Evaluation, Flag, Scored, Transcript
from daemon.core.errors import AlreadyRunning, Blame, EngineError, Fault, IllegalTransition, UnknownClass
from daemon.core.fairness.card import Card
from daemon.core.fairness.changes import Introduction
from daemon.core.fairness.kept import KeptCard
from daemon.core.fairness.rater import identity
from daemon.core.tasks.task import Stage
from daemon.doctor.facts import gather
from daemon.doctor.finding import Level
from daemon.doctor.installation import fairness
from daemon.llm.client import Answer, Finish, ModelIdentity, OnToken, Options, Request, Started
from daemon.llm.prompts import load_prompt
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from daemon.monitoring.fitness import CardFlags
from daemon.node import LocalNode
from daemon.store import audit, open_reader, open_store
from daemon.store import fairness as kept_cards
from daemon.store.membership import Membership
from daemon.system.state_folder import DATABASE, owned
from tests.integration.test_api_routes import ask
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import SPEAKING, TRANSCRIPT, Log, ScriptedEngine

pytestmark = pytest.mark.anyio

PEOPLE = bundled()
INFORMAL = {each.said.text for each in questions(PEOPLE) if each.change == "informal"}
PROVENANCE: Provenance = {
    "model": "scripted",
    "digest": "sha256:1",
    "prompt": "rate.v4",
    "prompt_sha256": "p",
    "schema_sha256": "s",
    "parameters": {"temperature": 0.2, "num_ctx": 2048},
    "confidence_from": "words",
}


@dataclass
class ScriptedRater(ScriptedEngine):
    """Takes half a point for informal phrasing, after it has given out its faults, one a question."""

    faults: list[Fault] = field(default_factory=list)
    asked: list[RateWork] = field(default_factory=list)
    starts: int = 0

    async def start(self) -> None:
        self.starts += 1
        await super().start()

    async def rate(self, work: RateWork, progress: object) -> StageOutcome:
        self.asked.append(work)
        if self.faults:
            return Failed(work.ticket, self.faults.pop(0))
        assert work.profile is not None
        told = len(work.profile.hobbies) + len(work.profile.strengths) + bool(work.profile.experience)
        value = 3 + told - (0.5 if work.transcript.text in INFORMAL else 0.0)
        scored = Scored(expected=value, model_score=round(value), model_expected=value)
        scores = dict.fromkeys(CRITERIA, round(value))
        evaluation = Evaluation(
            **scores, feedback="", suggestions=(), evidence=(), scores=dict.fromkeys(CRITERIA, scored)
        )
        return Rated(work.ticket, evaluation, (), PROVENANCE)


@dataclass
class Made:
    """A lab with a rater of its own."""

    folder: Path
    rater: ScriptedRater = field(default_factory=lambda: ScriptedRater(Stage.RATE, Log()))
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    rated: int = 0

    def __post_init__(self) -> None:
        (self.folder / "introeval.toml").write_text("[paths]\n")
        self.config = load(self.folder / "introeval.toml", {})
        self.database = self.config.paths.state / DATABASE

    async def card(self, people: Sequence[Introduction] = PEOPLE, stop_after: int = 0) -> Card:
        def make_node(config: object, site: Site) -> LocalNode:
            stt, extract = ScriptedEngine(Stage.STT, Log()), ScriptedEngine(Stage.EXTRACT, Log())
            return LocalNode(stt, extract, self.rater, site.progress)

        def on_rated() -> None:
            self.rated += 1
            if self.rated == stop_after:
                self.stop.set()

        return await measure(self.config, people, "invented people", on_rated, self.stop, make_node)

    def keep(self, card: Card) -> None:
        self.config.paths.state.mkdir(exist_ok=True)
        with open_store(self.database) as db:
            kept_cards.keep(db, card, at=1.0, actor="imhof")

    def introeval(self, *words: str) -> int:
        return run(["--config", str(self.folder / "introeval.toml"), *words])


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


async def test_the_rater_alone_is_asked_all_questions_and_the_card_names_its_bias(made: Made) -> None:
    card = await made.card()
    asked = [work.transcript.text for work in made.rater.asked]
    assert asked == [each.said.text for each in questions(PEOPLE)]
    assert made.rated == len(made.rater.asked)
    assert not made.rater.alive
    assert card.identity == identity(PROVENANCE)
    shifted = {
        change for change, row in card.shifts.items() for shift in row.values() if shift.verdict == "shifted"
    }
    assert shifted == {"informal"}


async def test_a_rater_that_dies_once_is_started_anew_and_asked_again(made: Made) -> None:
    made.rater.faults = [Fault(Blame.ENGINE, "died", "the server is gone", died=True)]
    card = await made.card(PEOPLE[:2])
    assert made.rater.starts == 2
    assert card.rated == 2
    texts = [work.transcript.text for work in made.rater.asked]
    assert texts[0] == texts[1]


async def test_a_rater_that_fails_twice_ends_it_with_one_line_and_is_stopped(made: Made) -> None:
    made.rater.faults = [Fault(Blame.ENGINE, "died", "the server is gone", died=True)] * 2
    with pytest.raises(EngineError, match="failed twice, so there is no card: the server is gone"):
        await made.card()
    assert not made.rater.alive


async def test_an_introduction_that_cannot_be_rated_ends_nothing(made: Made) -> None:
    made.rater.faults = [Fault(Blame.PERMANENT, "transcript_too_long", "too long")]
    card = await made.card(PEOPLE[:3])
    assert (card.asked, card.rated) == (3, 2)


async def test_stopped_early_the_card_is_of_what_was_rated(made: Made) -> None:
    card = await made.card(stop_after=25)
    assert made.rated == 25
    assert card.rated == 3
    assert not card.fit


async def test_a_card_is_kept_shown_and_accepted_by_name_until_it_is_made_anew(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    card = await made.card()
    made.keep(card)
    assert await asyncio.to_thread(made.introeval, "fairness", "show") == 0
    assert "not for grades: informal phrasing costs 0.5" in capsys.readouterr().out
    words = ("fairness", "accept", "--by", "Dr. Imhof", "--reason", "only feedback is shown")
    assert await asyncio.to_thread(made.introeval, *words, "ffff") == IllegalTransition.exit_code
    assert "there is no fairness card ffff; to make one" in capsys.readouterr().err
    assert await asyncio.to_thread(made.introeval, *words, card.identity[:4]) == 0
    assert await asyncio.to_thread(made.introeval, "fairness", "show", "--json") == 0
    shown = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert shown["accepted"]["by"] == "Dr. Imhof"
    made.keep(card)
    with open_reader(made.database) as db:
        (kept,) = kept_cards.cards(db)
        found = [(each.what, each.actor.text) for each in audit.entries(db)]
    assert kept.accepted is None, "who accepts has seen the card"
    assert [what for what, _ in found] == ["fairness card", "fairness accepted", "fairness card"]


async def test_a_fit_card_has_nothing_to_accept(made: Made) -> None:
    card = await made.card()
    fair = {each: shift.model_copy(update={"verdict": "fair"}) for each, shift in card.shifts["name"].items()}
    made.keep(card.model_copy(update={"shifts": dict.fromkeys(card.shifts, fair)}))
    with open_store(made.database) as db, pytest.raises(IllegalTransition, match="nothing to accept"):
        kept_cards.accept(db, "", "Dr. Imhof", "why", at=1.0, actor="imhof")


async def test_no_card_is_made_while_a_daemon_works(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    with owned(made.config.paths.state):
        assert await asyncio.to_thread(made.introeval, "fairness") == AlreadyRunning.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("so the rater is not free for a fairness card; to stop it, run: introeval stop")


async def test_an_empty_name_accepts_nothing(made: Made) -> None:
    words = ("fairness", "accept", "--by", " ", "--reason", "x")
    assert await asyncio.to_thread(made.introeval, *words) == 64


async def test_each_rating_of_such_a_rater_is_flagged_and_of_no_other(made: Made) -> None:
    flags = CardFlags()
    flags.know([KeptCard(card=await made.card())])
    (flag,) = flags.flags(PROVENANCE)
    assert flag.code == "not_for_grades"
    assert flags.doubted
    assert flags.flags({**PROVENANCE, "prompt_sha256": "other"}) == ()
    assert not flags.doubted


async def test_a_running_daemon_takes_an_acceptance_up_at_once_and_says_who(made: Made) -> None:
    lab = Lab(made.folder / "lab")
    async with lab.daemon() as daemon:
        await daemon.session(kept_cards.keep, await made.card(), at=1.0, actor="imhof")
        nobody = await ask(lab, "POST", "/fairness/accept", {"by": "", "reason": "x"})
        assert nobody.status_code == 422
        answer = await ask(lab, "POST", "/fairness/accept", {"by": "Dr. Imhof", "reason": "feedback only"})
        assert answer.status_code == 200
        assert DaemonStatus.model_validate(answer.json()).not_for_grades is False
        (kept,) = await daemon.session(kept_cards.cards)
        assert kept.accepted is not None
        assert kept.accepted.by == "Dr. Imhof"
        assert any("accepted for grades by Dr. Imhof" in event.message for event in daemon.events.recent(9))


def test_the_summary_of_a_run_says_that_such_ratings_are_no_grades() -> None:
    row = SummaryRow(1, "s001", "me.mp4", "completed", "evaluated", "Ada", 7, True, 9.0, "r.json")
    told = show.results(Report([row], 0, Path("outbox"), [], finished=True, demo=False))
    said = "\n".join(line.text for line in told)
    assert "7/10 no grade" in said
    assert "are no grades; see: introeval fairness show" in said


async def test_the_introductions_of_a_class_are_those_that_were_rated(made: Made) -> None:
    lab = Lab(made.folder / "lab")
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        said = await daemon.session(kept_cards.said_in, Membership("", 0.0, time.time()))
        nobody = await daemon.session(kept_cards.said_in, Membership("", 0.0, 1.0))
    assert [each.text for each in said] == [TRANSCRIPT.text] * 2
    assert said[0].speaking == SPEAKING
    assert nobody == []
    words = ("--config", str(lab.folder / "introeval.toml"), "fairness", "--class", "2001-01-01")
    assert await asyncio.to_thread(run, words) == 64
    unknown = await asyncio.to_thread(run, (*words[:-1], "Week 3"))
    assert unknown == UnknownClass.exit_code


async def test_doctor_says_that_nobody_has_measured_it_and_then_what_the_card_says(made: Made) -> None:
    (found,) = fairness(await gather(made.config, None, {}, ()))
    assert (found.level, found.fix) == (Level.WARN, "run: introeval fairness")
    card = await made.card()
    made.keep(card.model_copy(update={"prompt_sha256": load_prompt("rate").sha256}))
    (found,) = fairness(await gather(made.config, None, {}, ()))
    assert "not for grades" in found.text
    assert found.fix == "see: introeval fairness show"


@dataclass
class Answering:
    """A host and its client that rate everybody alike."""

    alive: bool = False
    identity: ModelIdentity = field(default_factory=lambda: ModelIdentity("m", "sha256:9", "1", "docker"))

    def report(self) -> EngineReport:
        return EngineReport(stage="rate", name="answering", state="ready")

    async def start(self, first: Request) -> Started:
        self.alive = True
        return Started(self, await self.generate(first, lambda tokens: None))

    async def stop(self) -> None:
        self.alive = False

    async def aclose(self) -> None:
        return None

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        text = ["You speak clearly and calmly.", "Tell us more about your work."]
        answer = {
            key: text if key in ("feedback", "suggestions") else 1 if key.endswith("quote") else 7
            for key in request.schema["properties"]
        }
        return Answer(json.dumps(answer), Finish.STOP)


async def test_the_rater_puts_the_flags_of_its_card_on_its_rating() -> None:
    seen: list[Provenance] = []

    def flags(provenance: Provenance) -> tuple[Flag, ...]:
        seen.append(provenance)
        return (Flag(code="not_for_grades"),)

    rater = IntroductionRater(Answering(), Rubric(), lambda: Options(0.2, 0.9, 1, 2048, 640), fitness=flags)
    await rater.start()
    said = PEOPLE[0]
    transcript = Transcript(text=said.text, language="en", language_probability=1.0)
    work = RateWork(Ticket(1, 1, 1), transcript, said.speaking, said.profile)
    rated = await rater.rate(work, lambda ticket, done: None)
    assert isinstance(rated, Rated)
    assert rated.evaluation is not None
    assert rated.flags[-1].code == "not_for_grades"
    assert identity(seen[0]) == identity(rated.provenance)
