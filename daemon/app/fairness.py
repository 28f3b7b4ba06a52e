"""Making a fairness card: the configured rater, alone, asked about introductions and their changes."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from daemon.app.engines import Site, prompt_tokens
from daemon.app.nodes import make_node
from daemon.config.load import Config
from daemon.contracts.ports import Node
from daemon.contracts.values import Failed, Provenance, Rated, RateWork, Ticket
from daemon.core.alarms import Trouble
from daemon.core.content.answers import FORM_CHARS
from daemon.core.content.document import CRITERIA, Profile, Speaking, Transcript
from daemon.core.content.speaking import filler_words, word_count
from daemon.core.errors import Blame, EngineError
from daemon.core.fairness.card import Card, Scores, make_card
from daemon.core.fairness.changes import CHANGES, Introduction, changed
from daemon.core.fairness.rater import identity
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import to_iso
from daemon.gpu.nvml import NvmlGpu
from daemon.llm.rubric import Rubric
from daemon.monitoring.progress import Progress
from daemon.placement.placement import Placement
from daemon.placement.rubric_check import check_rubric

_RATE = frozenset({Stage.RATE})
_TRIES = (
    2  # of an introduction, when the engine is to blame: a card takes long, and is not lost for one death
)

MakeNode = Callable[[Config, Site], Node]


@dataclass(frozen=True, slots=True)
class FairnessQuestion:
    """One introduction to rate: the one at this place of the base, as it is or after a change."""

    at: int
    change: str | None
    said: Introduction


def bundled() -> list[Introduction]:
    """The introductions of invented people that the program brings, from thin to rich."""
    found = json.loads((files("daemon.core.fairness") / "introductions.json").read_bytes())
    return [_introduction(each) for each in found]


def questions(base: Sequence[Introduction]) -> list[FairnessQuestion]:
    """All that a card asks, in order."""
    return [question for at, said in enumerate(base) for question in _of(at, said)]


async def measure(
    config: Config,
    base: Sequence[Introduction],
    name: str,
    on_rated: Callable[[], None],
    stop: asyncio.Event,
    make_node: MakeNode = make_node,
) -> Card:
    """Rate all questions, and make the card; `name` says which introductions they are. Once `stop` is set,
    the card is of the introductions that are rated by then.

    The caller must own the state folder. Raises ConfigError, ModelError, and EngineError when the rater does
    not start, or fails twice in a row.
    """
    check_rubric(config, config.prompts.folder)
    gpu = NvmlGpu()
    placement = Placement(config, (await gpu.reading()).total_mb)
    rubric = Rubric(config.prompts.folder)
    asked = questions(base)
    longest = max(len(question.said.text) for question in asked)
    placement.expect(prompt_tokens(rubric, longest, FORM_CHARS))
    node = make_node(config, Site(placement, rubric, gpu.reading, Progress(), _unheard))
    before: list[Scores | None] = [None] * len(base)
    after: dict[str, list[Scores | None]] = {change: [None] * len(base) for change in CHANGES}
    unrated: dict[str, int] = {}
    provenance: Provenance = {}
    try:
        await node.ensure(_RATE)
        for question in asked:
            if stop.is_set():
                break
            rated = await _rated(node, question)
            on_rated()
            provenance = provenance or (rated.provenance if rated else {})
            scores = _scores(rated)
            if question.change is None:
                before[question.at] = scores
                continue
            after[question.change][question.at] = scores
            if scores is None and before[question.at] is not None:
                unrated[question.change] = unrated.get(question.change, 0) + 1
    finally:
        await node.aclose()
    if not provenance:
        raise EngineError("the rater answered nothing, so there is no card; see: introeval logs rate")
    return make_card(
        before,
        after,
        identity=identity(provenance),
        model=provenance["model"],
        prompt=provenance["prompt"],
        prompt_sha256=provenance["prompt_sha256"],
        made_at=to_iso(datetime.now(UTC).timestamp()),
        base=name,
        unrated=unrated,
    )


async def _rated(node: Node, question: FairnessQuestion) -> Rated | None:
    """The rating; None where there is none for a reason that is not the engine's."""
    said = question.said
    transcript = Transcript(text=said.text, language="en", language_probability=1.0)
    work = RateWork(Ticket(0, 1, 1), transcript, said.speaking, said.profile, scores_only=True)
    fault = None
    for attempt in range(_TRIES):
        if attempt:
            await node.ensure(_RATE, fresh=True)
        for outcome in [each async for each in node.rate([work])]:
            if isinstance(outcome, Rated):
                return outcome
            fault = outcome.fault if isinstance(outcome, Failed) else fault
        if fault is None or fault.blame is not Blame.ENGINE:
            return None
    assert fault is not None
    raise EngineError(f"the rater failed twice, so there is no card: {fault.message}")


def _of(at: int, said: Introduction) -> Iterator[FairnessQuestion]:
    yield FairnessQuestion(at, None, said)
    for change in CHANGES:
        if (other := changed(said, change)) is not None:
            yield FairnessQuestion(at, change, other)


def _scores(rated: Rated | None) -> Scores | None:
    if rated is None or rated.evaluation is None:
        return None
    return {each: rated.evaluation.scores[each].expected for each in CRITERIA}


def _introduction(entry: dict[str, object]) -> Introduction:
    text, pace = str(entry["words"]), float(str(entry["words_per_minute"]))
    speaking = Speaking(
        speech_s=round(word_count(text) * 60 / pace, 2),
        words_per_minute=pace,
        pause_ratio=float(str(entry["pause_ratio"])),
        longest_pause_s=float(str(entry["longest_pause_s"])),
        filler_words=filler_words(text),
    )
    return Introduction(text, Profile.model_validate(entry["profile"]), speaking)


def _unheard(code: str, trouble: Trouble | None) -> None:
    """Ignore an alarm: the command ends with the error."""
