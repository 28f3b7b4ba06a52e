"""The prompts: versioned Jinja2 templates, ours or those in a folder of the lab.

A template is named `<name>.v<number>.j2`. The part that all students share stands first in it, so that the
server can cache it; the transcript stands last, delimited, before one fixed line.

The variables of a template: `transcript`; `complaint`, what was wrong with the last answer, or None; and for
the rater also `speaking`, the figures of the delivery, and `profile`, the form as one line of JSON.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jinja2
import jinja2.meta

from daemon.core.content.shown_form import NO_FORM
from daemon.core.errors import ConfigError

PromptName = Literal["extract", "rate"]

_OURS = Path(__file__).parent / "templates"
_FILE = re.compile(r"(?P<name>[a-z]+)\.v(?P<version>\d+)\.j2")
_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True)
_MARK = "(the words of one student)"
_VARIABLES: dict[str, dict[str, Any]] = {
    "extract": {"complaint": None},
    "rate": {"complaint": None, "speaking": "", "profile": NO_FORM},
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One template. `sha256` is that of its file, `version` the number in its name, `names` its variables."""

    name: str
    version: str
    sha256: str
    names: frozenset[str]
    template: jinja2.Template = field(compare=False)

    def render(self, transcript: str, **values: Any) -> str:
        """The prompt for one student; variables of the template that are not given are empty."""
        return self.template.render({**_VARIABLES[self.name], **values, "transcript": transcript}).strip()


def load_prompt(name: PromptName, folder: Path | None = None) -> Prompt:
    """The newest template of this name in `folder`, or ours where the folder has none.

    Raises ConfigError when the folder or the template can't be used.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"prompts.folder is {folder}, which is no folder; create it or remove the key")
    path = (_newest(name, folder) if folder is not None else None) or _newest(name, _OURS)
    if path is None:
        raise ConfigError(f"there is no template {name}.v1.j2 in {_OURS}; install the package again")
    try:
        source = path.read_bytes()
        names = frozenset(jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(source.decode())))
        known = {"transcript", *_VARIABLES[name]}
        if unknown := sorted(names - known):
            raise ConfigError(
                f"{path} names {', '.join(unknown)}; it can name only {', '.join(sorted(known))}"
            )
        template = _ENVIRONMENT.from_string(source.decode())
        prompt = Prompt(name, f"v{_version(path)}", hashlib.sha256(source).hexdigest(), names, template)
        trial = prompt.render(_MARK)
        prompt.render(_MARK, complaint="the last answer was wrong")  # an `if` may hide what can't be rendered
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} can't be read, so no prompt can be made: {exc}") from exc
    except jinja2.TemplateError as exc:
        raise ConfigError(f"{path} is no valid template; fix it: {exc.message}") from exc
    if trial.count(_MARK) != 1:
        raise ConfigError(f"{path} has {{{{ transcript }}}} {trial.count(_MARK)} times; it needs it once")
    return prompt


def _newest(name: str, folder: Path) -> Path | None:
    named = [path for path in folder.glob(f"{name}.v*.j2") if _FILE.fullmatch(path.name)]
    return max(named, key=_version, default=None)


def _version(path: Path) -> int:
    match = _FILE.fullmatch(path.name)
    return int(match["version"]) if match else 0
