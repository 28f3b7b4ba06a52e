"""`injection`: orders to the grader and innocents of the held-out set, by rules, by SmolLM2, and as heard."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from daemon.contracts.values import Extracted, ExtractWork, Ticket, Transcribed
from daemon.core.content.answers import FORM_TOKENS, GraderAnswer
from daemon.core.content.document import Transcript
from daemon.core.content.sentences import steady
from daemon.core.content.untrusted import impartial
from daemon.core.tasks.task import Stage
from daemon.llm.asking import Asker
from daemon.llm.client import Options as ModelOptions
from daemon.llm.embedded import EmbeddedServer
from daemon.llm.extractor import FormExtractor
from daemon.llm.prompts import load_prompt
from daemon.llm.rubric import Rubric
from daemon.llm.template_check import HELLO
from daemon.system.weights import Weights
from tests.bench.figures import Figure, Options, model_folder
from tests.bench.hearing import CLEAR, listening
from tests.support.injections import HeldOut, cut, flagged, held_out, unstopped
from tests.support.voices import MISSING

KINDS = ("direct", "indirect", "innocent")
ASKED = 4  # each so many texts the small model is asked about one
SPOKEN = 6  # each so many English texts one is spoken
_OPTIONS = ModelOptions(temperature=0.1, top_p=0.9, seed=1, num_ctx=2048, num_predict=FORM_TOKENS)
_TICKET = Ticket(1, 1, 1)


def measure(options: Options) -> list[Figure]:
    """The numbers that were found of each kind. They have no goal: nobody is to tune by them."""
    rows = held_out("first")
    figures = [*_by_rules(rows, "as written")]
    figures += _by_rules([row.unpunctuated for row in rows], "without punctuation")
    with tempfile.TemporaryDirectory() as folder:
        figures += asyncio.run(_by_model(rows[::ASKED], Path(folder)))
        if not MISSING:
            figures += asyncio.run(_as_heard(rows, Path(folder)))
    return figures


def _by_rules(rows: Sequence[HeldOut], how: str) -> list[Figure]:
    figures = []
    for kind in KINDS:
        texts = [row.text for row in rows if row.kind == kind]
        name = f"of {len(texts)} {kind}, {how}, by rules"
        figures += [
            Figure(f"{name}: flagged", len(flagged(texts)), ""),
            Figure(f"{name}: cut", len(cut(texts)), ""),
        ]
    return figures


async def _by_model(rows: Sequence[HeldOut], folder: Path) -> list[Figure]:
    """Whether SmolLM2 is asked by the daemon, and what it names where it is asked all the same."""
    weights = Weights.unpinned(next(model_folder("smollm2").glob("*.gguf")))
    host = EmbeddedServer(
        Stage.EXTRACT,
        weights,
        engines=folder / "engines",
        log=folder / "log" / "extract.log",
        parallel=lambda: 1,
    )
    engine = FormExtractor(host, Rubric(), lambda: _OPTIONS)
    await engine.start()
    transcript = Transcript(text=rows[0].text, language="en", language_probability=1.0)
    outcome = await engine.extract(ExtractWork(_TICKET, transcript), lambda *_: None)
    await engine.stop()
    assert isinstance(outcome, Extracted)
    asker = Asker(host, GraderAnswer, lambda: _OPTIONS)
    prompt = load_prompt("extract")
    await asker.start(prompt.render(HELLO, to_the_grader=True))
    figures = [Figure("SmolLM2 is asked by the daemon", outcome.provenance["asked_to_name"], "")]
    for kind in KINDS:
        mine = [row for row in rows if row.kind == kind]
        named = [await _named(asker, row.text) for row in mine]
        right = sum(
            any(each in row.words or row.words in each for each in found)
            for row, found in zip(mine, named, strict=True)
        )
        either = sum(bool(found) or bool(flagged([row.text])) for row, found in zip(mine, named, strict=True))
        name = f"of {len(mine)} {kind}, by SmolLM2 without the trial"
        figures += [
            Figure(f"{name}: anything named", sum(map(bool, named)), ""),
            Figure(f"{name}: these words named", right, ""),
            Figure(f"{name}: named or found by rules", either, ""),
        ]
    await asker.stop()
    return figures


async def _named(asker: Asker, text: str) -> tuple[str, ...]:
    seen, prompt = impartial(text), load_prompt("extract")
    asked = await asker.ask(
        lambda complaint: prompt.render(steady(seen), complaint=complaint, to_the_grader=True),
        *(GraderAnswer, GraderAnswer.schema_for(seen), lambda tokens: None),
    )
    return () if asked.answer is None else asked.answer.said_in(seen)


async def _as_heard(rows: Sequence[HeldOut], folder: Path) -> list[Figure]:
    """What rules find in the words that Whisper `base` writes of synthetic voices."""
    english = [row for row in rows if row.language == "en"]
    figures = []
    async with listening(folder, streams=1) as ear:
        for kind in KINDS:
            mine = [row for row in english if row.kind == kind][::SPOKEN]
            outcomes = [await ear.hears(row.text, CLEAR[at % len(CLEAR)]) for at, row in enumerate(mine)]
            heard = [each.transcript.text for each in outcomes if isinstance(each, Transcribed)]
            name = f"of {len(mine)} {kind}, spoken: flagged by rules"
            figures += [
                Figure(f"{name} as written", len(flagged([row.text for row in mine])), ""),
                Figure(f"{name} as heard", len(flagged(heard)), ""),
                Figure(
                    f"{name} as heard, without punctuation", len(flagged(list(map(unstopped, heard)))), ""
                ),
            ]
    return figures
