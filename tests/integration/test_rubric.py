"""An edit of the rubric between and during ratings: which text is asked, what a result says, who is told."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from daemon.app.engines import Site
from daemon.cli.rerate import rate_again
from daemon.config.load import Config
from daemon.contracts.ports import Node
from daemon.contracts.values import Provenance
from daemon.contracts.wire.words import Verb
from daemon.core.content.comparison import compare
from daemon.core.content.sentences import numbered
from daemon.core.errors import ConfigError, IllegalTransition
from daemon.core.tasks.task import Stage
from daemon.llm.asking import TRIES
from daemon.llm.extractor import FormExtractor
from daemon.llm.rater import IntroductionRater
from daemon.node import LocalNode
from tests.support.asked_model import RATING, AskedModel
from tests.support.inprocess import TOGETHER, Lab, worked_off
from tests.support.scripted import SAID, ScriptedEngine
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

BEFORE, AFTER = "Grade strictly. {{ levels }} {{ transcript }}", "Grade kindly. {{ levels }} {{ transcript }}"


class _Extractor(FormExtractor):
    """One without a canary, which would stop at each edit: see test_canary.py."""

    def identity(self) -> Provenance:
        return {}


class _Rater(IntroductionRater):
    """Also."""

    def identity(self) -> Provenance:
        return {}


@dataclass
class RubricLab(Lab):
    """A lab with a folder of templates, the real extractor and rater, and models that keep their prompts."""

    models: dict[Stage, AskedModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rubric.mkdir(parents=True)
        self.write(BEFORE)
        self.settings = {"prompts.folder": "rubric", "gpu.residency": TOGETHER, **self.settings}

    @property
    def rubric(self) -> Path:
        return self.folder / "rubric"

    @property
    def rater(self) -> AskedModel:
        return self.models[Stage.RATE]

    def write(self, text: str, name: str = "rate.v1.j2") -> None:
        (self.rubric / name).write_text(text)

    def _node(self, config: Config, site: Site) -> Node:
        extract, rate = (self.models.setdefault(s, AskedModel(s)) for s in (Stage.EXTRACT, Stage.RATE))
        return LocalNode(
            ScriptedEngine(Stage.STT, self.log),
            _Extractor(extract, site.rubric, lambda: site.placement.options(Stage.EXTRACT)),
            _Rater(rate, site.rubric, lambda: site.placement.options(Stage.RATE)),
            site.progress,
        )

    def rated_with(self) -> list[str]:
        """The text behind the hash in each result, by task and revision."""
        texts = {hashlib.sha256(text.encode()).hexdigest(): text for text in (BEFORE, AFTER)}
        results = sorted(self.results().values(), key=lambda each: (each["task_id"], each["revision"]))
        return [texts[each["provenance"]["rate"]["prompt_sha256"]] for each in results]


def said(daemon: Any) -> str:
    return " ".join(event.message for event in daemon.events.recent(1000))


def alarm(daemon: Any, code: str) -> str:
    return next((str(each.trouble) for each in daemon.alarms.all if each.code == code), "")


async def test_an_edit_after_the_class_is_what_a_new_rating_asks_without_any_restart(tmp_path: Path) -> None:
    lab = RubricLab(tmp_path)
    lab.hand_in("s001_me.mp4")
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.write(AFTER)
        await daemon.supervisor.ask(Verb.RATE, 1)
        await worked_off(daemon)
        assert lab.rater.asked[-1].startswith("Grade kindly.")
        assert lab.rater.warmed[-1].startswith("Grade kindly."), "the first student was asked a cold server"
        assert "1 result rests on rate.v1" in said(daemon)
        assert "introeval rate --all" in said(daemon)
        assert not alarm(daemon, "rubric")
        lab.rater.rating["overall_rating"] = 4
        await daemon.supervisor.ask(Verb.RATE, 1)
        await worked_off(daemon)
    assert lab.rated_with() == [BEFORE, AFTER, AFTER, BEFORE]
    mine = [each for each in lab.results().values() if each["task_id"] == 1]
    first, second, third = sorted(mine, key=lambda each: int(each["revision"]))
    edited, unexplained = compare([(first, second), (second, third)]).tasks
    assert (edited.asked_otherwise, edited.changed) == (["rate.prompt_sha256"], [])
    assert unexplained.unexplained, "the same question got another answer, and nobody is told"
    assert unexplained.scores == {"overall_rating": (7, 4)}


async def test_an_edit_in_the_middle_of_a_class_waits_for_the_next_one_and_an_alarm_says_so(
    tmp_path: Path,
) -> None:
    lab = RubricLab(tmp_path)
    one = asyncio.Semaphore(0)
    lab.models[Stage.RATE] = AskedModel(Stage.RATE, let_through=one)
    for student in ("s001", "s002", "s003"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.rater.asked)
        lab.write(AFTER)
        with pytest.raises(IllegalTransition):  # what is refused takes nothing up
            await daemon.supervisor.ask(Verb.RATE, 1)
        one.release()
        await until(lambda: len(lab.rater.asked) == 2)
        assert "rate.v1.j2" in alarm(daemon, "rubric")
        one.release()
        one.release()
        await worked_off(daemon)
        assert not alarm(daemon, "rubric")
        lab.hand_in("s004_me.mp4")
        one.release()
        await worked_off(daemon)
        assert "3 results rest on rate.v1" in said(daemon)
    assert lab.rated_with() == [*[BEFORE] * 3, AFTER]
    assert [prompt.split(".")[0] for prompt in lab.rater.asked] == [*["Grade strictly"] * 3, "Grade kindly"]


async def test_a_new_rating_in_the_middle_of_a_class_takes_the_edit_up_and_names_who_has_the_other(
    tmp_path: Path,
) -> None:
    lab = RubricLab(tmp_path)
    for student in ("s001", "s002"):
        lab.hand_in(f"{student}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.rater.let_through = one = asyncio.Semaphore(0)
        lab.hand_in("s003_me.mp4")
        await until(lambda: len(lab.rater.asked) == 3)
        lab.write(AFTER)
        await daemon.supervisor.ask(Verb.RATE, 1)
        await daemon.supervisor.ask(Verb.RATE, 2)
        one.release()  # what was begun keeps its text
        one.release()
        await until(lambda: len(lab.rater.asked) == 5)
        assert lab.rater.warmed[-1].startswith("Grade kindly."), "the running server was not warmed up"
        assert "1 result rests on rate.v1" in alarm(daemon, "class_changed")
        await daemon.supervisor.ask(Verb.RATE, 3)
        one.release()
        await until(lambda: len(lab.rater.asked) == 6)
        assert not alarm(daemon, "class_changed"), "every result rests on the new one or waits for it"
        one.release()
        await worked_off(daemon)
    assert lab.rated_with() == [BEFORE, AFTER] * 3


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("{{ transcript }}\n{{ mood }}", "rate.v1.j2, line 2: mood is not a variable of rate; it may name"),
        ("{{ transcript ", "rate.v1.j2, line 1:"),
        (None, "rate.v1.j2"),
    ],
)
async def test_an_edit_that_cannot_be_used_leaves_the_one_before_in_use_and_refuses_a_new_rating(
    tmp_path: Path, broken: str | None, told: str
) -> None:
    lab = RubricLab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        (lab.rubric / "rate.v1.j2").unlink()
        (lab.rubric / "rate.v1.j2").mkdir() if broken is None else lab.write(broken)
        with pytest.raises(ConfigError, match=r"nothing is rated again.*rate\.v1\.j2"):
            await daemon.supervisor.ask(Verb.RATE, 1)
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
        assert told in alarm(daemon, "rubric")
        (lab.rubric / "rate.v1.j2").rmdir() if broken is None else None
        lab.write(AFTER)
        lab.hand_in("s003_me.mp4")
        await worked_off(daemon)
        assert not alarm(daemon, "rubric")
    assert lab.rated_with() == [BEFORE, BEFORE, AFTER]


async def test_a_retry_with_other_seeds_is_no_change_of_the_class(tmp_path: Path) -> None:
    lab = RubricLab(tmp_path)
    lab.models[Stage.RATE] = AskedModel(Stage.RATE, rating={**RATING, "confidence_level": 0})
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.rater.rating = dict(RATING)
        lab.rater.let_through = one = asyncio.Semaphore(0)
        lab.hand_in("s002_me.mp4")
        await until(lambda: len(lab.rater.asked) == TRIES + 1)
        await daemon.supervisor.ask(Verb.RETRY, 1)
        one.release()
        one.release()
        await worked_off(daemon)
        assert not alarm(daemon, "class_changed")
    first, retried, other = sorted(
        lab.results().values(), key=lambda each: (each["task_id"], each["revision"])
    )
    assert [each["outcome"] for each in (first, retried, other)] == ["needs_review", "evaluated", "evaluated"]
    assert retried["provenance"]["rate"]["seed"] != other["provenance"]["rate"]["seed"]


async def test_a_new_rating_on_a_form_by_another_template_is_told(tmp_path: Path) -> None:
    lab = RubricLab(tmp_path)
    lab.hand_in("s001_me.mp4")
    told = StringIO()

    async def rated(*, extract: bool) -> list[str]:
        again = asyncio.to_thread(rate_again, lab.config, [1], Console(file=told), extract=extract)
        return (await again).tasks[0].asked_otherwise

    async with lab.daemon() as daemon:
        await worked_off(daemon)
        lab.write("Read the form. {{ transcript }}", "extract.v9.j2")
        assert await rated(extract=False) == []
        assert "1 of 1 forms rest on another template" in told.getvalue()
        told.truncate(0)
        assert await rated(extract=True) == ["extract.prompt", "extract.prompt_sha256"]
        assert "rest on another" not in told.getvalue()
        assert lab.models[Stage.EXTRACT].asked[-1].startswith("Read the form.")


async def test_a_template_that_fails_on_the_words_of_one_student_fails_that_task_alone(
    tmp_path: Path,
) -> None:
    lab = RubricLab(tmp_path)
    lab.write(
        f"{{{{ levels }}}}{{{{ transcript }}}}{{{{ 1 / (transcript|length - {len(numbered(SAID))}) }}}}"
    )
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert daemon.supervisor.idle
    (result,) = lab.results().values()
    assert (result["outcome"], result["error"]["code"]) == ("failed", "rubric_failed")
    assert "rate.v1.j2 fails on a student's words, line 1" in result["error"]["message"]


async def test_an_edit_while_no_daemon_runs_is_told_as_well(tmp_path: Path) -> None:
    lab = RubricLab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    lab.write(AFTER, "rate.v2.j2")
    lab.hand_in("s002_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert "rate.v2" in said(daemon)
        assert "1 result rests on rate.v1" in said(daemon)
    assert lab.rated_with() == [BEFORE, AFTER]
