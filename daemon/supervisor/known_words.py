"""The known words of the canary, asked of a node: the answer that is recorded, and what it depends on."""

import json
from pathlib import Path
from typing import Any

from daemon.contracts.ports import Media, Node
from daemon.contracts.values import (
    Extracted,
    ExtractWork,
    Failed,
    Rated,
    RateWork,
    StageOutcome,
    SttWork,
    Ticket,
    Transcribed,
    Unscorable,
)
from daemon.core.canary.question import PROFILE, SPEAKING, TRANSCRIPT
from daemon.core.content.shown_form import delivery_in_words
from daemon.core.errors import Blame, EngineError, Fault
from daemon.core.tasks.task import Stage

CLIP = Path(__file__).with_name("canary.ogg")

_TICKET = Ticket(0, 1, 1)  # no task has this id


class KnownWords:
    """Asks them of nodes. `pcm` is where the clip is decoded to."""

    def __init__(self, media: Media, pcm: Path) -> None:
        self._media, self._pcm = media, pcm

    def identity(self, node: Node, stage: Stage) -> dict[str, Any]:
        """What an answer of the node's stage depends on, as JSON keeps it."""
        known: dict[str, Any] = json.loads(json.dumps(node.identity(stage)))
        return known

    async def ask(self, node: Node, stage: Stage) -> tuple[dict[str, Any] | None, str]:
        """The answer, or None and why there is none. Raises EngineError where the engine is to blame."""
        match await self._outcome(node, stage):
            case Transcribed() as heard:
                delivery = delivery_in_words(heard.speaking)
                return {"transcript": heard.transcript.text, "delivery": delivery}, ""
            case Extracted(profile=profile) if profile is not None:
                return {"form": profile.model_dump(mode="json")}, ""
            case Rated(evaluation=evaluation) if evaluation is not None:
                scores = {name: scored.expected for name, scored in evaluation.scores.items()}
                return {"scores": scores}, ""
            case Extracted(flags=flags) | Rated(flags=flags):
                return None, flags[0].detail if flags else ""
            case Unscorable(message=message):
                return None, message
            case Failed(fault=fault):
                if fault.blame is Blame.ENGINE:
                    raise EngineError(fault.message)
                return None, fault.message

    async def _outcome(self, node: Node, stage: Stage) -> StageOutcome:
        """The outcome of the canary. The stream is read to its end: the node counts it until then."""
        if stage is Stage.STT:
            decoded = await self._media.decode(CLIP, self._pcm)
            if isinstance(decoded, Fault):
                return Failed(_TICKET, decoded)
            stream = node.transcribe([SttWork(_TICKET, decoded.pcm, decoded.takes)])
        elif stage is Stage.EXTRACT:
            stream = node.extract([ExtractWork(_TICKET, TRANSCRIPT)])
        else:
            stream = node.rate([RateWork(_TICKET, TRANSCRIPT, SPEAKING, PROFILE, scores_only=True)])
        (outcome,) = [outcome async for outcome in stream]
        return outcome
