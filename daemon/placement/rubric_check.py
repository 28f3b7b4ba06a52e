"""The whole check of a rubric for a configuration: its templates, and the room that they leave."""

import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.config.load import Config
from daemon.core.content.answers import FORM_CHARS
from daemon.core.errors import ConfigError, ModelError
from daemon.core.tasks.task import Stage
from daemon.llm.prompts import Prompt, load_prompts, unread
from daemon.llm.rubric_advice import advice
from daemon.llm.template_check import PromptName
from daemon.placement.placement import Placement

_CHARS_PER_WORD = 6  # English, with its space
_WORDS_PER_S = 2.5  # 150 a minute
_LEAST_WORDS = 50


@dataclass(frozen=True, slots=True)
class CheckedRubric:
    """A rubric that can be used. `weak` are the lines on what is weak about each template, `beside` those on
    the folder; `words` is the longest transcript that each leaves room for, None where that is not known.
    """

    prompts: Mapping[PromptName, Prompt]
    weak: Mapping[PromptName, Sequence[str]]
    words: Mapping[PromptName, int | None]
    beside: Sequence[str]

    @property
    def lines(self) -> list[str]:
        """All that is weak, each with its template."""
        named = [
            f"{self.prompts[name].path.name}: {line}" for name in self.prompts for line in self.weak[name]
        ]
        return [*self.beside, *named]


def check_rubric(config: Config, folder: Path | None) -> CheckedRubric:
    """Check the rubric in `folder`, or ours. Raises ConfigError with a line for each fault."""
    if folder is not None and folder.resolve().is_relative_to(config.paths.inbox.resolve()):
        raise ConfigError(f"{folder} lies in the inbox, where students write; move the rubric elsewhere")
    prompts = load_prompts(folder)
    placement = None
    with suppress(ModelError):  # a model that is not known is another check's
        placement = Placement(config, None)
    words = {name: None if placement is None else _words(placement, p) for name, p in prompts.items()}
    small = [
        f"{prompts[name].path} leaves no room for a transcript in the model's largest context; shorten it"
        for name, count in words.items()
        if count is not None and count < _LEAST_WORDS
    ]
    if small:
        raise ConfigError("\n".join(small))
    spoken = config.intake.max_duration_s * _WORDS_PER_S
    weak = {
        name: [
            *advice(prompt),
            *_on_room(words[name], spoken, ours=folder is None or prompt.path.parent != folder),
        ]
        for name, prompt in prompts.items()
    }
    return CheckedRubric(prompts, weak, words, _on_folder(prompts, folder))


def _words(placement: Placement, prompt: Prompt) -> int:
    return placement.room_chars(Stage(prompt.name), prompt.chars(FORM_CHARS)) // _CHARS_PER_WORD


def _on_room(words: int | None, spoken: float, *, ours: bool) -> list[str]:
    if ours or words is None or words >= spoken:
        return []
    return [
        f"it leaves room for {words} words, and a video may have {spoken:.0f} (intake.max_duration_s); "
        "longer transcripts fail"
    ]


def _on_folder(prompts: Mapping[PromptName, Prompt], folder: Path | None) -> list[str]:
    if folder is None:
        return []
    theirs = [prompt.path for prompt in prompts.values() if prompt.path.parent == folder]
    none = [] if theirs else [f"{folder} has no template, so ours are used"]
    open_to_all = [
        f"everybody on this machine may change {path}; run: chmod o-w {path}"
        for path in (folder, *theirs)
        if path.stat().st_mode & stat.S_IWOTH
    ]
    return [*none, *open_to_all, *unread(folder)]
