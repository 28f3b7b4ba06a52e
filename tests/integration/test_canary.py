"""The canary in the whole daemon: what it is held against, what stops a class, and what lets it go."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.api import client
from daemon.app.engines import Site
from daemon.cli import canary
from daemon.cli.common import Chosen
from daemon.config.load import Config
from daemon.contracts.ports import Node
from daemon.contracts.values import OnProgress, StageOutcome, SttWork, Transcribed
from daemon.contracts.wire.status import EngineReport
from daemon.contracts.wire.words import Verb
from daemon.core.canary.question import TRANSCRIPT as KNOWN
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Stage
from daemon.llm.client import Answer, Finish, ModelIdentity, OnToken, Request, Started
from daemon.llm.extractor import FormExtractor
from daemon.llm.rater import IntroductionRater
from daemon.node import LocalNode
from daemon.store import audit
from tests.support.asked_model import FORM
from tests.support.inprocess import PASSES, PHASES, TOGETHER, Lab, worked_off
from tests.support.scripted import SPEAKING, TRANSCRIPT, ScriptedEngine
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_backoff")]

PROMPT = "Grade strictly, {{ levels }}. {{ question }} {{ profile }} {{ speaking }} {{ transcript }}"
EDITED = PROMPT.replace("strictly", "kindly")
FORM_PROMPT = "Read the form. {{ transcript }}"
TEXTS = {
    "feedback": ["You speak clearly and calmly.", "Your plans stay in the dark."],
    "suggestions": ["Tell us about your last holiday.", "Practise until you need no pauses."],
}
LEVELS = ("confidence_level", "overall_rating")
CLARA = "Clara Hill"


@dataclass
class Model:
    """A model that answers every question as it is told, and keeps the prompts of all but the starts.

    `later` is the level with seeds that no student is asked with; after `hangs_after` questions it hangs.
    """

    stage: Stage
    digest: str = "a" * 64
    level: int = 7
    name: str = CLARA
    valid: bool = True
    later: int | None = None
    hangs_after: int | None = None
    alive: bool = False
    asked: list[str] = field(default_factory=list)
    starts: int = 0

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("model", f"sha256:{self.digest}", "server 1", "docker")

    def report(self) -> EngineReport:
        return EngineReport(stage=self.stage, name="model", state="ready" if self.alive else "stopped")

    async def start(self, first: Request) -> Started:
        self.alive, self.starts = True, self.starts + 1
        return Started(self, await self.generate(first, lambda _: None))

    async def stop(self) -> None:
        self.alive = False

    async def aclose(self) -> None:
        return None

    async def generate(self, request: Request, on_token: OnToken) -> Answer:
        level = self.level if self.later is None or request.options.seed < 1000 else self.later
        said = json.dumps(self._answer(request.schema["properties"], level))
        if request.start:
            return Answer(said, Finish.LENGTH)
        self.asked.append(request.prompt)
        if self.hangs_after is not None and len(self.asked) > self.hangs_after:
            await asyncio.Event().wait()
        return Answer(said if self.valid else "{}", Finish.STOP)

    def _answer(self, wanted: dict[str, Any], level: int) -> dict[str, Any]:
        scores = {"clarity_of_speech": 7, "content_quality": 6}
        known = {**FORM, "name": self.name, **TEXTS, **scores, **dict.fromkeys(LEVELS, level)}
        return {key: known.get(key, 1) for key in wanted}


@dataclass
class Whisper(ScriptedEngine):
    """Hears the same words in every recording. `tickets` are those of what it was asked."""

    heard: str = KNOWN.text
    tickets: list[int] = field(default_factory=list)

    def identity(self) -> dict[str, str]:
        return {"model": "base", "digest": "sha256:" + "b" * 64}

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        self.tickets.append(work.ticket.task_id)
        segment = TRANSCRIPT.segments[0].model_copy(update={"text": self.heard})
        heard = TRANSCRIPT.model_copy(update={"text": self.heard, "segments": (segment,)})
        return Transcribed(work.ticket, heard, SPEAKING)


@dataclass
class CanaryLab(Lab):
    """A lab with a folder of templates, the real extractor and rater, and models that stay over restarts."""

    models: dict[Stage, Model] = field(default_factory=dict)
    heard: str = KNOWN.text

    def __post_init__(self) -> None:
        self.rubric.mkdir(parents=True)
        self.write(PROMPT)
        self.write(FORM_PROMPT, "extract.v1.j2")
        self.settings = {"prompts.folder": "rubric", "gpu.residency": PASSES, **self.settings}
        self.models = {stage: Model(stage) for stage in (Stage.EXTRACT, Stage.RATE)}

    @property
    def rubric(self) -> Path:
        return self.folder / "rubric"

    @property
    def rater(self) -> Model:
        return self.models[Stage.RATE]

    def write(self, text: str, name: str = "rate.v1.j2") -> None:
        (self.rubric / name).write_text(text)

    def _node(self, config: Config, site: Site) -> Node:
        self.whisper = Whisper(Stage.STT, self.log, heard=self.heard)
        extract, rate = (self.models[stage] for stage in (Stage.EXTRACT, Stage.RATE))
        return LocalNode(
            self.whisper,
            FormExtractor(extract, site.rubric, lambda: site.placement.options(Stage.EXTRACT)),
            IntroductionRater(rate, site.rubric, lambda: site.placement.options(Stage.RATE)),
            site.progress,
        )

    async def classes(self, *students: str) -> None:
        """Let a daemon work off the recordings of these students."""
        for student in students:
            self.hand_in(f"{student}_me.mp4")
        async with self.daemon() as daemon:
            await worked_off(daemon)


def alarm(daemon: Any, code: str = "canary") -> str:
    return next((str(each.trouble) for each in daemon.alarms.all if each.code == code), "")


async def stopped_at(daemon: Any, stage: Stage) -> str:
    await until(lambda: f"waits for {stage}" in alarm(daemon))
    return alarm(daemon)


@pytest.mark.parametrize("residency", [PASSES, TOGETHER], ids=["passes", "together"])
async def test_it_is_asked_once_a_day_before_the_first_student_and_not_after_a_restart(
    tmp_path: Path, residency: list[list[str]]
) -> None:
    lab = CanaryLab(tmp_path, settings={"gpu.residency": residency, "batch.size": 1})
    await lab.classes("s001", "s002", "s003")
    assert lab.whisper.tickets == [0, 1, 2, 3]
    assert [prompt.count("Clara Hill") > 0 for prompt in lab.models[Stage.EXTRACT].asked] == [True] * 4
    assert len(lab.rater.asked) == 2 + 3 * 3, (
        "of the canary the scores, and of each student the feedback as well"
    )
    await lab.classes("s004")
    assert lab.whisper.tickets == [4]
    assert len(lab.rater.asked) == 2 + 3 * 4
    assert {each["outcome"] for each in lab.results().values()} == {"evaluated"}


async def test_a_model_swapped_under_the_same_name_stops_the_class_until_it_is_put_back(
    tmp_path: Path,
) -> None:
    lab = CanaryLab(tmp_path)
    await lab.classes("s001")
    lab.rater.digest = "c" * 64
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        told = await stopped_at(daemon, Stage.RATE)
        assert 'rate digest: "aaaaaaaaaaaa" was recorded, "cccccccccccc" came' in told
        assert "introeval canary accept" in told
        starts = lab.rater.starts
        await until(lambda: lab.rater.starts > starts + 1)  # looked at again after each rest
        (task,) = daemon.supervisor.tasks
        assert (task.student, task.stage) == ("s002", Stage.RATE)
        assert (task.attempt, task.retry_count, task.suspicion) == (2, 0, 0)  # stt's and extract's
        lab.rater.digest = "a" * 64
        await worked_off(daemon)
        assert not alarm(daemon)
    assert len(lab.results()) == 2


async def test_one_word_of_the_prompt_stops_the_class_and_one_acceptance_lets_it_go(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path)
    await lab.classes("s001")
    lab.write(EDITED)
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        assert "rate prompt_sha256" in await stopped_at(daemon, Stage.RATE)
        await daemon.supervisor.accept_canary("lena")
        await worked_off(daemon)
        entries = await daemon.session(audit.entries)
        with pytest.raises(IllegalTransition):
            await daemon.supervisor.accept_canary("lena")
    (accepted,) = [entry for entry in entries if entry.what == "canary accepted"]
    assert accepted.actor.text == "lena"
    assert lab.rater.asked[-1].startswith("Grade kindly,")


async def test_without_a_daemon_a_person_sees_what_stopped_a_class_and_accepts_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = CanaryLab(tmp_path)
    await lab.classes("s001")
    lab.rater.digest = "c" * 64
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: daemon.supervisor.stopped_by_canary)  # here `run --once` ends
    monkeypatch.setattr(Chosen, "file", tmp_path / "introeval.toml")
    canary.show()
    assert "drifted: digest" in capsys.readouterr().out
    canary.accept()
    assert "accepted by" in capsys.readouterr().out
    with pytest.raises(IllegalTransition):
        canary.accept()
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert not alarm(daemon)
    assert len(lab.results()) == 2


async def test_the_routes_tell_ask_and_accept(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path)
    await lab.classes("s001")
    lab.write(EDITED)
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        socket = daemon.config.paths.socket
        await stopped_at(daemon, Stage.RATE)
        lines = await asyncio.to_thread(client.get, socket, "/canary")
        assert [(each["stage"], bool(each["drift"])) for each in lines] == [
            ("stt", False),
            ("extract", False),
            ("rate", True),
        ]
        await asyncio.to_thread(client.post, socket, "/canary/run")
        lines = await asyncio.to_thread(client.post, socket, "/canary/accept")
        assert not any(each["drift"] for each in lines)
        await worked_off(daemon)
        with pytest.raises(IllegalTransition):
            await asyncio.to_thread(client.post, socket, "/canary/accept")


async def test_a_class_is_not_given_up_before_all_of_a_group_were_asked(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path, settings={"gpu.residency": PHASES})
    await lab.classes("s001")
    for model in lab.models.values():
        model.digest = "c" * 64
    lab.rater.hangs_after = asked = len(lab.rater.asked)
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: len(lab.rater.asked) > asked)
        assert daemon.canary.drifted == {Stage.EXTRACT}
        assert not daemon.supervisor.stopped_by_canary


async def test_an_edit_that_is_put_back_lets_the_class_go(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path)
    await lab.classes("s001")
    lab.write(EDITED)
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await stopped_at(daemon, Stage.RATE)
        lab.write(PROMPT)
        await daemon.supervisor.run_canary()
        await worked_off(daemon)
        assert not alarm(daemon)
    assert all(prompt.startswith("Grade strictly,") for prompt in lab.rater.asked[-2:])


async def test_a_new_rating_after_an_edit_of_both_templates_asks_the_operator_once(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path)
    await lab.classes("s001", "s002")
    lab.write(EDITED)
    lab.write(FORM_PROMPT.replace("Read", "Fill"), "extract.v1.j2")
    async with lab.daemon() as daemon:
        for task_id in (1, 2):
            await daemon.supervisor.ask(Verb.RATE, task_id, extract=True)
        told = await stopped_at(daemon, Stage.EXTRACT)
        assert "extract prompt_sha256" in told
        assert "rate prompt_sha256" in told
        await daemon.supervisor.accept_canary("lena")
        await worked_off(daemon)
        assert not [each for each in daemon.alarms.all if each.code.startswith("canary")]
    assert sorted(each["revision"] for each in lab.results().values()) == [1, 1, 2, 2]


async def test_another_answer_to_the_same_question_names_what_differs_and_by_how_much(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path, settings={"gpu.residency": TOGETHER})
    await lab.classes("s001")
    lab.rater.level, lab.models[Stage.EXTRACT].name, lab.heard = (
        5,
        "Carla",
        KNOWN.text.replace("chess", "cards"),
    )
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await daemon.supervisor.run_canary()
        await until(lambda: "waits for stt and extract and rate" in alarm(daemon))
        assert 'stt transcript: "chess" was recorded, "cards" came' in alarm(daemon)
        assert 'extract form.name: "Clara Hill" was recorded, nothing came' in alarm(daemon)
        assert "rate scores.overall_rating: 7.75 was recorded, 5.50 came" in alarm(daemon)
        await daemon.supervisor.accept_canary("lena")
        await worked_off(daemon)
        assert not alarm(daemon)


async def test_without_a_valid_first_answer_the_class_is_graded_and_an_alarm_says_so(tmp_path: Path) -> None:
    lab = CanaryLab(tmp_path)
    lab.models[Stage.EXTRACT].valid = False
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert "no valid answer" in alarm(daemon, "canary_unheard_extract")
    assert len(lab.results()) == 1
