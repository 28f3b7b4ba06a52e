"""What both engines with a language model have in common: start, stop, and asking about a transcript.

Neither is shown words that certainly address the grader, except the rater where it compares the scores with
and without them. Words that may address it, and those that the search does not find, reach both, delimited
and as data.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, ClassVar

from daemon.contracts.values import (
    Failed,
    OnProgress,
    Provenance,
    StageOutcome,
    Ticket,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.answers import AnswerModel
from daemon.core.content.document import Flag
from daemon.core.content.provenance_identity import identity
from daemon.core.content.untrusted import impartial, neutralise
from daemon.core.errors import Blame, EngineError, Fault
from daemon.core.model_ref import DEMO_DIGEST
from daemon.core.tasks.task import Stage
from daemon.llm.asking import A, Asker, Asking
from daemon.llm.client import AnswerFailed, ModelHost, OnToken, Options
from daemon.llm.prompts import Prompt
from daemon.llm.rubric import Rubric
from daemon.llm.template_check import PromptName

_DEMO = Flag(code="demo_model", detail="a small model that shows the flow; this is no grade")
_EMPTY = Fault(Blame.PERMANENT, "empty_transcript", "there is no word in the transcript to ask a model about")
_SMALL = Fault(
    Blame.ENGINE,
    "context_too_small",
    "a transcript is longer than this phase's context, so the model is loaded again with a larger one",
)
_UNSAID = "(nobody has spoken)"
"""Stands for form and transcript in a warm-up. No student's begins like it: the server would keep the words
that both begin with, as it read them for another student.
"""
_NOTHING_LEFT = "all that was said addresses the evaluator"


class Evaluator:
    """The common part of both engines: start, stop, and asking about one transcript.

    `options` gives those of the next phase. `outgrown` is called with a context, in tokens, that did not hold
    a prompt; True when the next phase can have a larger one.
    """

    stage: Stage
    _name: ClassVar[PromptName]
    _first: ClassVar[type[AnswerModel]]
    _kinds: ClassVar[tuple[type[AnswerModel], ...]]
    _usual_tokens: ClassVar[int]

    def __init__(
        self,
        host: ModelHost,
        rubric: Rubric,
        options: Callable[[], Options],
        outgrown: Callable[[int], bool] = lambda num_ctx: False,
    ) -> None:
        self._asker = Asker(host, self._first, options)
        self._rubric = rubric
        self._held: Prompt | None = None  # the prompt of which the server holds the shared part, and no more
        self._taking_up = asyncio.Lock()
        self._outgrown = outgrown

    @property
    def alive(self) -> bool:
        """Whether the model's server runs."""
        return self._asker.host.alive

    @property
    def tokens_per_s(self) -> float | None:
        """The rate of the present answer, or of the last one; None before the first."""
        return self._asker.tokens_per_s

    def report(self) -> EngineReport:
        """The engine as the operator sees it."""
        report = self._asker.host.report()
        return report.model_copy(update={"tokens_per_s": self.tokens_per_s if self.alive else None})

    def identity(self) -> Provenance:
        """What an answer depends on beside the student's words; before a start, without the model."""
        try:
            known = self._asker.host.identity.provenance
        except EngineError:
            known = {}
        return identity({**known, **self._asked_with(self._rubric.text(self._name), self._kinds)})

    async def start(self) -> None:
        """Start the server and prove it by a real generation. Raises EngineError."""
        prompt = self._rubric.text(self._name)
        await self._asker.start(shared_part(prompt))
        self._held = prompt

    async def stop(self) -> None:
        """Stop the server, also one that an earlier daemon left. Raises EngineError."""
        await self._asker.stop()

    async def _ask(
        self, ticket: Ticket, text: str, ask: Callable[[Prompt, str], Awaitable[StageOutcome]]
    ) -> StageOutcome:
        """The outcome of `ask` with the prompt and the words that the model may see, or why there is none."""
        # To an empty prompt the models answered with an invented student.
        if not says_something(neutralise(text)):
            return Failed(ticket, _EMPTY)
        try:
            return await ask(await self._prompt(), impartial(text))
        except AnswerFailed as exc:
            too_long = exc.fault.code == "transcript_too_long"
            larger = too_long and self._outgrown(self._asker.options.num_ctx)
            return Failed(ticket, _SMALL if larger else exc.fault)
        except EngineError as exc:  # of the template
            return Failed(ticket, Fault(Blame.PERMANENT, "rubric_failed", str(exc)))

    async def _prompt(self) -> Prompt:
        """The prompt to ask with. The server holds its shared part, and nothing of another student's.

        So all are asked on the same state of its cache. Seen: of eight copies of a recording the first got
        another rating than the rest, for which the server held the whole prompt. Raises AnswerFailed.
        """
        async with self._taking_up:
            prompt = self._rubric.text(self._name, asking=True)
            if prompt != self._held:
                await self._asker.warm_up(shared_part(prompt))
            self._held = None
            return prompt

    def _heard(self, ticket: Ticket, progress: OnProgress) -> OnToken:
        """Report progress by the tokens of the usual answers together; 1 is reported at the end only."""
        heard = 0

        def on_token(_: int) -> None:
            nonlocal heard
            heard += 1
            progress(ticket, min(0.95, heard / self._usual_tokens))

        return on_token

    def _nothing(self, kind: type[A]) -> Asking[A]:
        """What is known without asking where all that was said addresses the grader."""
        return Asking(None, _NOTHING_LEFT, 0, self._asker.options.seed)

    def _flags(self) -> tuple[Flag, ...]:
        model = self._asker.host.identity
        demo = (_DEMO,) if model.digest == f"sha256:{DEMO_DIGEST}" else ()
        if not model.degraded:
            return demo
        return (*demo, Flag(code="degraded", detail=f"{self.stage}: {model.degraded}"))

    def _asked_with(self, prompt: Prompt, kinds: Sequence[type[AnswerModel]]) -> Provenance:
        """The prompt, the schemas and the parameters of a question."""
        return {
            "prompt": prompt.title,
            "prompt_sha256": prompt.sha256,
            "schema_sha256": _schemas_sha256(tuple(kinds)),
            "parameters": asdict(self._asker.options),
        }

    def _provenance(
        self, prompt: Prompt, kinds: Sequence[type[AnswerModel]], asked: Asking[Any], text: str, **more: Any
    ) -> Provenance:
        """Everything needed to repeat this outcome: model, prompt, schemas, parameters and transcript."""
        return {
            **self._asker.host.identity.provenance,
            **self._asked_with(prompt, kinds),
            "transcript_sha256": sha256(text),
            "seed": asked.seed,
            "tries": asked.attempts,
            **more,
        }


def shared_part(prompt: Prompt) -> str:
    """A prompt of which the server keeps no more than what all students share."""
    return prompt.render(_UNSAID, profile=_UNSAID)


def sha256(text: str) -> str:
    """The hash of a text, as provenance has it."""
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=16)
def _schemas_sha256(kinds: tuple[type[AnswerModel], ...]) -> str:
    """The hash of the schemas of answers. They are fixed, and a node's identity is asked once a second."""
    return sha256(json.dumps([kind.json_schema() for kind in kinds], separators=(",", ":")))


def says_something(text: str) -> bool:
    """Whether there is a letter or a digit in a text."""
    return any(c.isalnum() for c in text)
