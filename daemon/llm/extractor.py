"""The engine that reads the form from a transcript."""

from daemon.contracts.values import Extracted, ExtractWork, OnProgress, StageOutcome
from daemon.core.content.answers import FormAnswer
from daemon.core.content.document import Flag
from daemon.core.content.grounding import ground_profile
from daemon.core.content.sentences import steady
from daemon.core.tasks.task import Stage
from daemon.llm.asking import Asking
from daemon.llm.client import OnToken
from daemon.llm.evaluator import Evaluator, says_something
from daemon.llm.prompts import Prompt


class FormExtractor(Evaluator):
    """The engine that reads the form from a transcript."""

    stage = Stage.EXTRACT
    _name = "extract"
    _first = FormAnswer
    _usual_tokens = 110

    async def extract(self, work: ExtractWork, progress: OnProgress) -> StageOutcome:
        """Read the form: an Extracted, with no profile and a flag when no answer was valid, or a Failed."""
        said = work.transcript.text

        async def ask(prompt: Prompt, seen: str) -> StageOutcome:
            asked = await self._form(prompt, seen, work.reseed, self._heard(work.ticket, progress))
            provenance = self._provenance(prompt, [FormAnswer], asked, said)
            if asked.answer is None:
                invalid = Flag(code="no_valid_form", field="profile", detail=asked.complaint)
                return Extracted(work.ticket, None, (invalid, *self._flags()), provenance)
            shown = work.transcript.model_copy(update={"text": seen})
            profile, flags = ground_profile(asked.answer.profile(), shown)
            return Extracted(work.ticket, profile, (*flags, *self._flags()), provenance)

        return await self._ask(work.ticket, said, ask)

    async def _form(self, prompt: Prompt, seen: str, reseed: int, on_token: OnToken) -> Asking[FormAnswer]:
        if not says_something(seen):
            return self._nothing(FormAnswer)
        return await self._asker.ask(
            lambda complaint: prompt.render(steady(seen), complaint=complaint),
            FormAnswer,
            self._asker.schema,
            on_token,
            reseed=reseed,
        )
